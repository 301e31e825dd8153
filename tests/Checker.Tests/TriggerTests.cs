using QueueScale.Contracts;
using QueueScale.Faults.Checker;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class TriggerTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task The_trigger_notes_a_jobs_way_so_that_it_can_be_judged()
    {
        await stage.ExecuteAsync(HistoryTrigger.Sql);
        await using var database = stage.NewDatabase();
        await using var submissions = new Submissions(database, _ => { }, TimeSpan.FromSeconds(5));
        await using var checkpoints = new Checkpoints(database, TimeSpan.FromSeconds(10));
        await using var completions = new Completions(database);
        await using var putBacks = new PutBacks(database, _ => { });
        var claims = new Claims(database);
        var cancellations = new Cancellations(database);
        var (done, cancelled, late) = (NewJob(), NewJob(), NewJob() with { Delay = TimeSpan.FromHours(1) });

        await submissions.SubmitAsync([done, cancelled, late]);
        await ClaimAsync(done, 0);
        await checkpoints.SaveAsync(done.Id, 1, 1, "1", null, default);
        await checkpoints.SaveProgressAsync(done.Id, 1, 0, "{}");
        await putBacks.PutBackAsync(new Unfinished(done.Id, 1, RunEnding.Interrupted, Counts: true, TimeSpan.FromSeconds(1)));
        await ClaimAsync(done, 1);
        await completions.CompleteAsync(done.Id, 2, "{}", null);
        await ClaimAsync(cancelled, 0);
        await cancellations.CancelAsync(cancelled.Id, 1, default);
        await completions.CompleteAsync(cancelled.Id, 1, "{}", null);
        await cancellations.CancelAsync(late.Id, 1, default);

        var history = new History
        {
            Options = new SuiteOptions(),
            AfterDrain = new AfterDrain { At = DateTime.UtcNow, Queues = [] },
            Jobs = await ReadAsync<JobRow>(JobRow.Select),
            Runs = await ReadAsync<RunRow>(RunRow.Select),
            Moves = await ReadAsync<JobMove>(JobMove.Select),
        };
        Assert.Equal("queued 0/0, running 1/0, queued 1/1, running 2/1, succeeded 2/1", WayOf(done));
        Assert.Equal("queued 0/0, running 1/0, running 1/0 cancel, cancelled 1/0 cancel", WayOf(cancelled));
        Assert.Equal("scheduled 0/0, cancelled 0/0 cancel", WayOf(late));
        Assert.All(history.Moves, move => Assert.InRange(move.At, DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddSeconds(1)));
        Assert.Equal(("interrupted", 0, 1), history.Runs.Select(run => (run.How, run.FromSeq, run.Epoch)).Single());
        Assert.All(Judge.Decide(history).Broken, broken => Assert.Equal("No client submitted this job.", broken.What));

        await stage.ExecuteAsync($"update jobs set checkpoint_seq = 0 where id = '{done.Id}'");
        var touched = (await ReadAsync<JobMove>(JobMove.Select))[^1];
        Assert.Equal((JobState.Succeeded, 1, 0), (touched.OldState, touched.OldCheckpointSeq, touched.CheckpointSeq));

        string WayOf(NewJob job) => string.Join(", ", history.Moves.Where(move => move.Job == job.Id)
            .Select(move => $"{move.State} {move.Epoch}/{move.CheckpointSeq}{(move.CancelRequested ? " cancel" : "")}".ToLowerInvariant()));

        Task ClaimAsync(NewJob job, int dispatch) => claims.ClaimAsync(Guid.CreateVersion7(), [new ReadyJob(job.Id, dispatch)], suspects: false, default);
    }

    private static NewJob NewJob() => new() { Id = Guid.CreateVersion7(), Tenant = 1, Type = "test", Queue = "default", Input = "{}", MaxAttempts = 3, Tags = ["token"] };

    private async Task<List<T>> ReadAsync<T>(string select) => [.. (await stage.QueryAsync<string>(select)).Select(HistoryFiles.Parse<T>)];
}
