using Npgsql;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class PauseTests(Stage stage) : IClassFixture<Stage>
{
    private readonly string queue = Servers.NewName();

    [Fact]
    public async Task No_job_of_a_paused_queue_is_claimed_and_all_are_fed_again_in_order_when_it_is_resumed()
    {
        await using var steps = new Steps(stage);
        var queues = new Queues(steps.Database);
        using var worker = steps.RegisterWorker();
        var jobs = new List<Guid>();
        for (var i = 0; i < 3; i++)
        {
            jobs.AddRange(await steps.SubmitAsync(1, queue));
        }

        Assert.Single(await steps.ClaimAsync(worker.Worker, jobs[..1]));
        await queues.PauseAsync(queue, default);
        await queues.PauseAsync(queue, default); // once more changes nothing
        steps.TakeWoken();

        // What waits, comes back or is new stays, also with a wake-up that is still on its way; what runs goes on, and other queues do not mind.
        Assert.Empty(await steps.ClaimAsync(worker.Worker, jobs));
        jobs.AddRange(await steps.SubmitAsync(2, queue));
        Assert.Equal(JobState.Queued, await steps.PutBacks.PutBackAsync(new Unfinished(jobs[0], 1, RunEnding.Interrupted, Counts: true, TimeSpan.Zero)));
        Assert.All(steps.TakeWoken(), job => Assert.False(job.Send));
        Assert.Empty(await steps.ClaimAsync(worker.Worker, jobs[3..]));
        Assert.Empty(await steps.ClaimAsync(worker.Worker, jobs[..1], dispatch: 1));
        Assert.DoesNotContain(await steps.Lanes.ClosedAsync(default), lane => lane.Queue == queue); // nobody feeds it
        Assert.DoesNotContain(await steps.Reconciliation.EvidenceAsync(default), lane => lane.Queue == queue && lane.OldestSeconds is not null); // or misses its wake-ups
        Assert.Single(await steps.ClaimAsync(worker.Worker, await steps.SubmitAsync(1, Servers.NewName())));
        var figures = await steps.Fleet.QueueAsync(queue, default);
        Assert.Equal((true, 5L, 0L, 0), (figures.Paused, figures.Ready, figures.Running, figures.DesiredWorkers(TimeSpan.FromMinutes(1))));

        await queues.ResumeAsync(queue, default);
        await queues.ResumeAsync(queue, default);
        var lanes = (await steps.Lanes.ClosedAsync(default)).Where(lane => lane.Queue == queue).ToArray();
        Assert.Equal([(QueueName.Front, 2), (QueueName.Normal, 2)], lanes.Select(lane => (lane.Lane, lane.Turn)));
        var fed = new List<QueuedJob>();
        foreach (var lane in lanes)
        {
            await using var feed = (await steps.Lanes.TryFeedAsync(lane, default))!;
            Assert.Equal(0, await feed.OutstandingAsync(100, default));
            var page = await feed.NextAsync(default);
            fed.AddRange(page);
            Assert.True(await feed.AdvanceAsync(page[^1].At, default));
        }

        Assert.Equal([jobs[0], jobs[1], jobs[2]], fed.Take(3).Select(job => job.Id));
        Assert.Equal(jobs.Order(), fed.Select(job => job.Id).Order());
        Assert.Equal(5, (await steps.Claims.ClaimAsync(worker.Worker, [.. fed.Select(job => new ReadyJob(job.Id, job.Dispatch)).OrderBy(job => job.Id)], suspects: false, default)).Count);
    }

    [Fact]
    public async Task A_pause_is_answered_when_the_claims_that_may_not_know_of_it_have_ended_and_holds_up_none()
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker();
        var (held, other) = ((await steps.SubmitAsync(1, queue))[0], await steps.SubmitAsync(1, Servers.NewName()));
        await using var connection = await stage.Sql.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand($"select from jobs where id = '{held}' for update", connection);
        await hold.ExecuteNonQueryAsync();
        var claim = steps.ClaimAsync(worker.Worker, [held]);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1);

        var pause = new Queues(steps.Database).PauseAsync(queue, default);
        await Waiting.UntilAsync(async () => (await steps.Fleet.QueueAsync(queue, default)).Paused);
        Assert.Single(await steps.ClaimAsync(worker.Worker, other));
        Assert.False(pause.IsCompleted);
        await transaction.RollbackAsync();
        Assert.Single(await claim);
        await pause;
        Assert.Equal(JobState.Running, await steps.StateAsync(held));
    }

    [Fact]
    public async Task Whatever_starts_has_been_claimed_before_a_pause_was_answered()
    {
        await using Steps steps = new(stage), others = new(stage);
        var queues = new Queues(others.Database);
        using var worker = steps.RegisterWorker();
        var midway = 0;
        for (var round = 0; round < 20; round++)
        {
            var jobs = await steps.SubmitAsync(200, queue);
            var claimed = 0;
            var claiming = Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (job, _) => Interlocked.Add(ref claimed, (await steps.ClaimAsync(worker.Worker, [job])).Count));
            await queues.PauseAsync(queue, default);
            var running = await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 2", jobs);
            await claiming;
            Assert.Equal(running, claimed);
            midway += claimed is > 0 and < 200 ? 1 : 0;
            await queues.ResumeAsync(queue, default);
        }

        Assert.InRange(midway, 1, 20);
    }
}
