using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class DeathTests(Stage stage) : IClassFixture<Stage>, IAsyncLifetime
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(5);

    /// <summary>A sweep takes whatever jobs other tests have left to dead workers.</summary>
    public async ValueTask InitializeAsync() => await stage.ForgetJobsAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Fact]
    public async Task A_worker_whose_process_died_is_dead_after_two_and_a_half_seconds()
    {
        await using var steps = new Steps(stage);
        await ServerIsOldAsync();
        var worker = steps.RegisterWorker("killed", Lease);
        worker.Beat(Report);
        await PulseAgesAsync(worker, 3);
        Assert.DoesNotContain("killed", await DeclareAsync(steps)); // its session, and so its lock, still stands
        worker.Dispose();
        await Waiting.UntilAsync(async () => (await DeclareAsync(steps)).Contains("killed"));
    }

    [Fact]
    public async Task A_verdict_that_PostgreSQL_comes_to_late_is_none()
    {
        await using var steps = new Steps(stage);
        await ServerIsOldAsync();
        using var worker = steps.RegisterWorker("alive", Lease);
        await PulseAgesAsync(worker, 6);
        await using var connection = await steps.Database.General.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand("lock table workers in exclusive mode", connection, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        var verdict = DeclareAsync(steps);
        await Waiting.UntilAsync(() => stage.ScalarAsync<bool>("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%dead_at = clock_timestamp()%' and clock_timestamp() - query_start > '2.1 s'::interval)"));
        await transaction.RollbackAsync();
        Assert.DoesNotContain("alive", await verdict);
        Assert.Contains("alive", await DeclareAsync(steps));
    }

    [Fact]
    public async Task Workers_that_are_long_gone_are_forgotten_but_for_the_last_of_each_queue()
    {
        await using var steps = new Steps(stage);
        foreach (var name in (string[])["long ago", "a while ago", "lately", "living"])
        {
            steps.RegisterWorker(name).Dispose();
        }

        await stage.ExecuteAsync("""
            update workers set started_at = started_at - '90 days'::interval, dead_at = clock_timestamp() - '60 days'::interval where name in ('long ago', 'a while ago');
            update workers set queues = array['seldom', 'default'], started_at = started_at + '1 day'::interval where name = 'a while ago';
            update workers set dead_at = clock_timestamp() - '10 days'::interval where name = 'lately'
            """);
        Assert.Equal(1, await new PastWorkers(steps.Database).ForgetAsync(TimeSpan.FromDays(30), default));
        Assert.Equal(["a while ago", "lately", "living"], await stage.QueryAsync<string>("select name from workers order by name"));
    }

    [Fact]
    public async Task A_worker_without_a_lock_is_dead_only_after_its_lease()
    {
        await using var steps = new Steps(stage);
        await ServerIsOldAsync();
        var worker = steps.RegisterWorker("lockless", Lease);
        worker.Dispose(); // its first pulse never said that it holds the lock
        await PulseAgesAsync(worker, 4);
        Assert.DoesNotContain("lockless", await DeclareAsync(steps));
        await PulseAgesAsync(worker, 6);
        Assert.Contains("lockless", await DeclareAsync(steps));
    }

    [Fact]
    public async Task Who_has_not_watched_for_a_whole_lease_judges_nobody()
    {
        await using var steps = new Steps(stage);
        await ServerIsOldAsync();
        using var worker = steps.RegisterWorker("unwatched", Lease);
        await PulseAgesAsync(worker, 60);
        Assert.Empty(await steps.Deaths.DeclareAsync(Lease - TimeSpan.FromMilliseconds(1), await steps.Deaths.TimeAsync(default), default));
        Assert.Contains("unwatched", await DeclareAsync(steps));
        Assert.False(worker.Beat(Report)); // it hears so itself
    }

    [Fact]
    public async Task What_a_dead_worker_ran_is_queued_at_the_front_with_its_checkpoint()
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker("dead");
        var jobs = await steps.SubmitAsync(3);
        await steps.ClaimAsync(worker.Worker, jobs);
        await steps.Checkpoints.SaveAsync(jobs[0], 1, 1, "41", null, default);
        steps.TakeWoken();
        Assert.Empty((await steps.Deaths.SweepAsync(default)).Queued);
        await DieAsync(worker);
        var swept = (await steps.Deaths.SweepAsync(default)).Queued;
        Assert.Equal(jobs.Order(), swept.Select(j => j.Id).Order());
        Assert.All(swept, job => Assert.Equal((QueueName.Front, 1), (job.Lane, job.Dispatch)));
        Assert.Equal(1, (await steps.ClaimAsync(Guid.CreateVersion7(), jobs, dispatch: 1)).Single(j => j.Id == jobs[0]).CheckpointSeq);
        var runs = await steps.Jobs.RunsAsync(jobs[0], 1, default);
        Assert.Equal(RunEnding.Crashed, runs![0].How);
        Assert.NotNull(runs[1].HandoverSeconds);
    }

    [Fact]
    public async Task A_frozen_worker_that_claims_after_its_verdict_loses_the_job_again()
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker("frozen");
        await DieAsync(worker);
        var jobs = await steps.SubmitAsync(1);
        Assert.Single(await steps.ClaimAsync(worker.Worker, jobs));
        Assert.Single((await steps.Deaths.SweepAsync(default)).Queued);
        Assert.Null(await steps.Completions.CompleteAsync(jobs[0], 1, "1", null));
        var job = (await steps.Jobs.FindAsync(jobs[0], 1, default))!.Job;
        Assert.Equal((0, 1), (job.Crashes, job.Interruptions)); // it did not bring the worker down: it came later
    }

    [Fact]
    public async Task Only_the_most_suspect_are_blamed_and_the_third_crash_in_a_row_ends_a_job()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(4);
        var poison = jobs[0];
        for (var crash = 1; crash <= 3; crash++)
        {
            using var worker = steps.RegisterWorker($"victim {crash}");
            foreach (var job in jobs)
            {
                var dispatch = await stage.ScalarAsync<int>("select dispatch from jobs where id = $1", job);
                var claimed = Assert.Single(await steps.Claims.ClaimAsync(worker.Worker, [new ReadyJob(job, dispatch)], suspects: true, default));
                if (job != poison)
                {
                    await steps.Checkpoints.SaveAsync(job, claimed.Epoch, claimed.CheckpointSeq + 1, "1", null, default); // progress clears it
                }
            }

            await DieAsync(worker);
            await steps.Deaths.SweepAsync(default);
        }

        var failed = (await steps.Jobs.FindAsync(poison, 1, default))!.Job;
        Assert.Equal((JobState.Failed, ErrorCodes.WorkerLost, 3, 0), (failed.State, failed.Error!.Code, failed.Crashes, failed.Interruptions));
        foreach (var neighbour in jobs.Skip(1)) // blamed once, while all were equally suspect
        {
            var job = (await steps.Jobs.FindAsync(neighbour, 1, default))!.Job;
            Assert.Equal((JobState.Queued, 1, 2), (job.State, job.Crashes, job.Interruptions));
        }
    }

    [Fact]
    public async Task A_suspect_is_not_claimed_with_others()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(2);
        await stage.ExecuteAsync($"update jobs set suspect = 2 where id = '{jobs[0]}'");
        var worker = Guid.CreateVersion7();
        Assert.Equal(jobs[1], Assert.Single(await steps.ClaimAsync(worker, jobs)).Id);
        Assert.Equal(jobs[0], Assert.Single(await steps.Claims.SuspectsAmongAsync([new ReadyJob(jobs[0], 0)], default)).Id);
        await steps.Claims.DeferAsync(new ReadyJob(jobs[0], 0), TimeSpan.FromSeconds(1), default);
        Assert.Equal(JobState.Retrying, await steps.StateAsync(jobs[0]));
    }

    private static WorkerReport Report => new() { Busy = 0, Draining = false, Means = "{}", Seen = [] };

    private static async Task<IReadOnlyList<string>> DeclareAsync(Steps steps) => [.. (await steps.Deaths.DeclareAsync(TimeSpan.FromHours(1), await steps.Deaths.TimeAsync(default), default)).Select(w => w.Name)];

    /// <summary>No verdict falls before the server has been up for a lease.</summary>
    private Task ServerIsOldAsync() => Waiting.UntilAsync(async () => await stage.ScalarAsync<bool>("select clock_timestamp() - pg_postmaster_start_time() > interval '6 s'"));

    private Task PulseAgesAsync(PulseConnection worker, int seconds) =>
        stage.ExecuteAsync($"update workers set pulse_at = clock_timestamp() - interval '{seconds} s' where id = '{worker.Worker}'");

    private Task DieAsync(PulseConnection worker) => stage.ExecuteAsync(
        $"update workers w set dead_at = clock_timestamp(), blame = coalesce((select max(suspect) from jobs j where j.worker = w.id and j.state = 2), 0) where id = '{worker.Worker}'");
}
