using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class FencingTests(Stage stage) : IClassFixture<Stage>
{
    private static readonly Guid Worker = Guid.CreateVersion7();
    private static readonly Guid Other = Guid.CreateVersion7();

    [Fact]
    public async Task A_void_wake_up_claims_nothing()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(2);
        Assert.Empty(await steps.ClaimAsync(Worker, jobs, dispatch: 7));
        Assert.Equal(2, (await steps.ClaimAsync(Worker, jobs)).Count);
        Assert.Empty(await steps.ClaimAsync(Other, jobs));
    }

    [Fact]
    public async Task A_claim_that_is_read_back_tells_that_its_job_was_cancelled_since()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(2);
        Assert.All(await steps.ClaimAsync(Worker, jobs), job => Assert.False(job.CancelRequested));
        await steps.Cancellations.CancelAsync(jobs[1], 1, CancellationToken.None);
        var read = await steps.Claims.ReadBackAsync(Worker, [.. jobs.Select(id => new ReadyJob(id, 0))], CancellationToken.None);
        Assert.Equal(jobs.ToDictionary(id => id, id => id == jobs[1]), read.ToDictionary(job => job.Id, job => job.CancelRequested));
    }

    [Fact]
    public async Task Workers_that_claim_the_same_jobs_at_once_get_each_job_once()
    {
        await using var steps = new Steps(stage);
        for (var round = 0; round < 20; round++)
        {
            var jobs = await steps.SubmitAsync(100);
            var claims = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => steps.ClaimAsync(Guid.CreateVersion7(), jobs))));
            Assert.Equal(jobs.Order(), claims.SelectMany(c => c).Select(c => c.Id).Order());
        }
    }

    [Fact]
    public async Task A_worker_whose_run_was_handed_over_can_change_nothing()
    {
        await using var steps = new Steps(stage);
        var job = (await steps.SubmitAsync())[0];
        var late = (await steps.ClaimAsync(Worker, [job]))[0];
        Assert.Equal(CheckpointOutcome.Saved, await steps.Checkpoints.SaveAsync(job, late.Epoch, 1, "1", null, default));
        await steps.PutBacks.PutBackAsync(new Unfinished(job, late.Epoch, RunEnding.Interrupted, true, TimeSpan.Zero));
        var present = (await steps.ClaimAsync(Other, [job], dispatch: 1))[0];
        Assert.Equal(1, present.CheckpointSeq);

        Assert.Null(await steps.Completions.CompleteAsync(job, late.Epoch, "\"late\"", null));
        Assert.Null(await steps.Failures.FailAsync(job, late.Epoch, Verdict.GiveUp, RunEnding.Failed, """{"code":"x","message":"late"}""", TimeSpan.Zero));
        Assert.Null(await steps.PutBacks.PutBackAsync(new Unfinished(job, late.Epoch, RunEnding.Interrupted, true, TimeSpan.Zero)));
        Assert.Equal(CheckpointOutcome.Lost, await steps.Checkpoints.SaveAsync(job, late.Epoch, 2, "\"late\"", null, default));
        Assert.Equal(CheckpointOutcome.Lost, await steps.Checkpoints.SaveWithAsync(_ => Task.CompletedTask, job, late.Epoch, 2, "\"late\"", null, default));

        Assert.Equal(JobState.Succeeded, await steps.Completions.CompleteAsync(job, present.Epoch, "\"mine\"", null));
        Assert.Equal("\"mine\"", (await steps.Jobs.FindAsync(job, 1, default))!.Job.Result!.Value.GetRawText());
    }

    [Theory]
    [InlineData("checkpoint")]
    [InlineData("transactional checkpoint")]
    [InlineData("result")]
    [InlineData("error")]
    public async Task A_connection_on_which_the_first_data_was_refused_tells_the_truth_afterwards(string step)
    {
        const string Nul = "\"a\\u0000b\"";
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(60);
        await steps.ClaimAsync(Worker, jobs);
        await Assert.ThrowsAnyAsync<Exception>(() => WriteAsync(jobs[0], Nul));
        foreach (var job in jobs)
        {
            Assert.Equal(step switch { "result" => JobState.Succeeded, "error" => JobState.Failed, _ => JobState.Running }, await WriteAsync(job, "\"fine\""));
        }

        async Task<JobState?> WriteAsync(Guid job, string json) => step switch
        {
            "checkpoint" => Running(await steps.Checkpoints.SaveAsync(job, 1, 1, json, null, default)),
            "transactional checkpoint" => Running(await steps.Checkpoints.SaveWithAsync(_ => Task.CompletedTask, job, 1, 1, json, null, default)),
            "result" => await steps.Completions.CompleteAsync(job, 1, json, null),
            _ => await steps.Failures.FailAsync(job, 1, Verdict.GiveUp, RunEnding.Failed, $$"""{"code": {{json}}, "message": ""}""", TimeSpan.Zero),
        };

        static JobState? Running(CheckpointOutcome outcome) => outcome == CheckpointOutcome.Saved ? JobState.Running : null;
    }

    [Fact]
    public async Task A_repeated_write_of_the_same_run_is_recognised_as_its_own()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(3);
        var claimed = await steps.ClaimAsync(Worker, jobs);
        Assert.Equal(JobState.Succeeded, await steps.Completions.CompleteAsync(jobs[0], 1, "1", null));
        Assert.Equal(JobState.Succeeded, await steps.Completions.CompleteAsync(jobs[0], 1, "1", null));
        Assert.Equal(CheckpointOutcome.Saved, await steps.Checkpoints.SaveAsync(jobs[1], 1, 1, "1", null, default));
        Assert.Equal(CheckpointOutcome.Saved, await steps.Checkpoints.SaveAsync(jobs[1], 1, 1, "1", null, default));
        Assert.Equal(JobState.Failed, await steps.Failures.FailAsync(jobs[2], 1, Verdict.GiveUp, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero));
        Assert.Equal(JobState.Failed, await steps.Failures.FailAsync(jobs[2], 1, Verdict.GiveUp, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero));
        Assert.Equal(3, claimed.Count);
    }

    [Fact]
    public async Task A_put_back_whose_answer_was_lost_is_repeated_with_its_wake_up_and_counts_once()
    {
        await using var steps = new Steps(stage);
        var job = (await steps.SubmitAsync())[0];
        await steps.ClaimAsync(Worker, [job]);
        steps.TakeWoken();
        for (var attempt = 0; attempt < 2; attempt++)
        {
            Assert.Equal(JobState.Queued, await steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero)));
            var woken = Assert.Single(steps.TakeWoken());
            Assert.Equal((job, 1), (woken.Id, woken.Dispatch));
        }

        Assert.Equal(1, (await steps.Jobs.FindAsync(job, 1, CancellationToken.None))!.Job.Interruptions);
    }

    [Fact]
    public async Task A_submission_repeated_with_the_same_ids_makes_the_jobs_once()
    {
        await using var steps = new Steps(stage);
        var jobs = Enumerable.Range(0, 5).Select(_ => Steps.NewJob("repeated")).ToArray();
        var first = await steps.Submissions.SubmitAsync(jobs);
        var second = await steps.Submissions.SubmitAsync(jobs);
        Assert.Equal(first, second);
        Assert.Equal(5, (await steps.Fleet.QueueAsync("repeated", default)).Ready);
    }

    [Fact]
    public async Task A_checkpoint_never_goes_back()
    {
        await using var steps = new Steps(stage);
        var job = (await steps.SubmitAsync())[0];
        await steps.ClaimAsync(Worker, [job]);
        Assert.Equal(CheckpointOutcome.Saved, await steps.Checkpoints.SaveAsync(job, 1, 2, "2", null, default));
        Assert.Equal(CheckpointOutcome.Lost, await steps.Checkpoints.SaveAsync(job, 1, 1, "1", null, default));
        Assert.Equal("2", await stage.ScalarAsync<string>("select checkpoint::text from jobs where id = $1", job));
    }

    [Fact]
    public async Task The_effects_of_a_transactional_checkpoint_that_was_fenced_off_are_rolled_back()
    {
        await using var steps = new Steps(stage);
        await stage.ExecuteAsync("create table if not exists effects (job uuid)");
        var job = (await steps.SubmitAsync())[0];
        await steps.ClaimAsync(Worker, [job]);
        Assert.Equal(CheckpointOutcome.Saved, await SaveAsync(1, 1));
        await steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero));
        Assert.Equal(CheckpointOutcome.Lost, await SaveAsync(1, 2));
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from effects"));

        Task<CheckpointOutcome> SaveAsync(int epoch, int seq) => steps.Checkpoints.SaveWithAsync(async transaction =>
        {
            await using var command = transaction.Connection!.CreateCommand();
            command.CommandText = $"insert into effects values ('{job}')";
            await command.ExecuteNonQueryAsync();
        }, job, epoch, seq, "1", null, default);
    }

    [Fact]
    public async Task What_a_handler_throws_inside_its_transactional_checkpoint_stays_its_own_error()
    {
        await using var steps = new Steps(stage);
        var job = (await steps.SubmitAsync())[0];
        await steps.ClaimAsync(Worker, [job]);
        foreach (var error in new Exception[] { new IOException("no such file"), new TimeoutException("a web service"), new Npgsql.NpgsqlException("another database") })
        {
            Assert.Same(error, await Assert.ThrowsAsync(error.GetType(), () => steps.Checkpoints.SaveWithAsync(_ => throw error, job, 1, 1, "1", null, default)));
        }
    }

    [Fact]
    public async Task A_worker_frozen_inside_a_transactional_checkpoint_is_rolled_back_by_the_server_after_its_lease()
    {
        await using var steps = new Steps(stage);
        await using var checkpoints = new Checkpoints(steps.Database, lease: TimeSpan.FromMilliseconds(300));
        await stage.ExecuteAsync("create table if not exists frozen (job uuid)");
        var job = (await steps.SubmitAsync())[0];
        await steps.ClaimAsync(Worker, [job]);
        await Assert.ThrowsAsync<StoreUnavailable>(() => checkpoints.SaveWithAsync(async transaction =>
        {
            await using var command = transaction.Connection!.CreateCommand();
            command.CommandText = $"insert into frozen values ('{job}')";
            await command.ExecuteNonQueryAsync();
            await Task.Delay(1000); // frozen
        }, job, 1, 1, "1", null, default));
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from frozen"));
        Assert.Equal(0, await stage.ScalarAsync<int>("select checkpoint_seq from jobs where id = $1", job));
    }

    [Fact]
    public async Task A_claim_waits_for_a_row_that_is_locked_instead_of_losing_its_wake_up()
    {
        await using var steps = new Steps(stage);
        var job = (await steps.SubmitAsync())[0];
        await using var locker = await stage.Sql.OpenConnectionAsync();
        await using var transaction = await locker.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand("select 1 from jobs where id = $1 for update", locker))
        {
            hold.Parameters.Add(new() { Value = job });
            await hold.ExecuteNonQueryAsync();
        }

        var claim = steps.ClaimAsync(Worker, [job]);
        await Task.Delay(200);
        Assert.False(claim.IsCompleted);
        await transaction.CommitAsync();
        Assert.Single(await claim);
    }
}
