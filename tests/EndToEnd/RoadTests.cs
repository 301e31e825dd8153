namespace QueueScale.Tests;

/// <summary>One API and two workers, as a user has them.</summary>
public sealed class Road(Servers servers) : IAsyncLifetime
{
    public Stage Stage { get; } = new(servers);

    public HostProcess Api { get; private set; } = null!;

    public QueueScaleClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        Api = await Stage.StartApiAsync();
        await Stage.StartWorkerAsync("w1", Programs.TestWorker);
        await Stage.StartWorkerAsync("w2", Programs.TestWorker);
        Client = Stage.Client(Api);
    }

    public ValueTask DisposeAsync() => Stage.DisposeAsync();
}

public sealed class RoadTests(Road road) : IClassFixture<Road>
{
    private QueueScaleClient Client => road.Client;

    [Fact]
    public async Task A_submitted_job_runs_and_can_be_read_with_its_result()
    {
        var job = await Client.SubmitAsync(Programs.Sleep(0.3, 3));
        Assert.Equal(JobState.Queued, job.State);
        job = await Client.WaitForEndAsync(job.Id);
        Assert.Equal((JobState.Succeeded, 1, 3), (job.State, job.Attempt, job.Result!.Value.GetProperty("steps").GetInt32()));
        Assert.Equal((3L, 100.0), (job.Progress!.Done, job.Progress.Percent));
        var run = Assert.Single((await Client.GetRunsAsync(job.Id)).Items);
        Assert.Equal((1, RunEnding.Succeeded, 0), (run.Epoch, run.How, run.FromCheckpoint));
        Assert.StartsWith("w", run.Worker, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_finished_job_shows_its_last_progress_though_the_write_between_was_lost()
    {
        const string Stuck = "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like 'update jobs j set progress%' and query_start < clock_timestamp() - interval '1.2 s'";
        var job = await Client.SubmitAsync(Programs.Job("test.reporter"));
        await Client.WaitForAsync(job.Id, j => j.State == JobState.Running);
        await using (var connection = await road.Stage.Sql.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using var hold = new Npgsql.NpgsqlCommand($"select from jobs where id = '{job.Id}' for update", connection);
            await hold.ExecuteNonQueryAsync();
            await Waiting.UntilAsync(async () => (await road.Stage.QueryAsync<int>(Stuck)).Count == 1);
            await road.Stage.ExecuteAsync($"select pg_terminate_backend(pid) from ({Stuck}) stuck");
        }

        job = await Client.WaitForEndAsync(job.Id);
        Assert.Equal((3L, 100.0), (job.Progress?.Done, job.Progress?.Percent));
    }

    [Fact]
    public async Task A_thousand_submissions_at_once_all_run_once()
    {
        var jobs = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => Client.SubmitAsync(Programs.Job("probe.noop"))));
        await Waiting.UntilAsync(async () => await road.Stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 5", jobs.Select(j => j.Id).ToArray()) == 1000);
        Assert.Equal(1, await road.Stage.ScalarAsync<int>("select max(epoch) from jobs where id = any($1)", jobs.Select(j => j.Id).ToArray()));
    }

    [Fact]
    public async Task A_burst_that_fills_every_slot_after_a_quiet_second_is_taken_without_a_pause()
    {
        var seconds = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            await Task.Delay(1500, TestContext.Current.CancellationToken); // longer than full slots may stand still before a worker stops taking
            var jobs = await Client.SubmitBatchAsync([.. Enumerable.Range(0, 200).Select(_ => Programs.Sleep(0.1, 1))]);
            await Waiting.UntilAsync(async () => await road.Stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 5", jobs) == jobs.Count);
            seconds.Add(await road.Stage.ScalarAsync<double>("select extract(epoch from max(started_at) - min(started_at))::float8 from jobs where id = any($1)", jobs));
        }

        Assert.InRange(seconds.Min(), 0, 0.95); // a pause takes a second
    }

    [Fact]
    public async Task A_batch_is_accepted_whole_or_not_at_all()
    {
        var ids = await Client.SubmitBatchAsync([.. Enumerable.Range(0, 300).Select(_ => Programs.Job("probe.noop"))]);
        Assert.Equal(300, ids.Distinct().Count());
        await Task.WhenAll(ids.Select(id => Client.WaitForEndAsync(id)));
        var before = await road.Stage.ScalarAsync<long>("select count(*) from jobs");
        var refused = await Assert.ThrowsAsync<QueueScaleException>(() => Client.SubmitBatchAsync([Programs.Job("probe.noop"), Programs.Job("no.such.type"), Programs.Job("probe.noop")]));
        Assert.Equal(422, (int)refused.Status);
        Assert.Contains("/1/type", refused.Errors.Keys);
        Assert.Equal(before, await road.Stage.ScalarAsync<long>("select count(*) from jobs"));
    }

    [Fact]
    public async Task A_delayed_job_starts_when_its_time_has_come_and_not_before()
    {
        var job = await Client.SubmitAsync(Programs.Job("probe.noop") with { Delay = "PT1.5S" });
        Assert.Equal(JobState.Scheduled, job.State);
        job = await Client.WaitForEndAsync(job.Id);
        Assert.InRange((job.StartedAt!.Value - job.CreatedAt).TotalSeconds, 1.5, 4);
    }

    [Fact]
    public async Task A_failing_job_is_retried_with_backoff_until_it_succeeds_or_its_attempts_are_used_up()
    {
        var good = await Client.SubmitAsync(Programs.Job("probe.fail", new { times = 2 }));
        var bad = await Client.SubmitAsync(Programs.Job("probe.fail", new { times = 99 }) with { MaxAttempts = 2 });
        good = await Client.WaitForEndAsync(good.Id);
        Assert.Equal((JobState.Succeeded, 3), (good.State, good.Attempt));
        Assert.Equal([RunEnding.Failed, RunEnding.Failed, RunEnding.Succeeded], (await Client.GetRunsAsync(good.Id)).Items.Select(r => r.How!.Value));
        bad = await Client.WaitForEndAsync(bad.Id);
        Assert.Equal((JobState.Failed, 2, ErrorCodes.HandlerFailed), (bad.State, bad.Attempt, bad.Error!.Code));
    }

    [Theory]
    [InlineData("give up", "hopeless", 1)]
    [InlineData("nul in message", ErrorCodes.HandlerFailed, 2)]
    [InlineData("nul in result", ErrorCodes.ResultUnstorable, 1)]
    [InlineData("huge result", ErrorCodes.ResultUnstorable, 1)]
    [InlineData("huge checkpoint", ErrorCodes.HandlerFailed, 2)]
    [InlineData("nul in checkpoint", ErrorCodes.HandlerFailed, 2)]
    [InlineData("unreadable checkpoint", ErrorCodes.CheckpointUnreadable, 2)]
    public async Task Whatever_a_handler_does_wrong_ends_its_own_job_with_a_clear_error(string how, string code, int attempts)
    {
        var job = await Client.WaitForEndAsync((await Client.SubmitAsync(Programs.Job("test.thrower", new { how }))).Id);
        Assert.Equal((JobState.Failed, code, attempts), (job.State, job.Error!.Code, job.Attempt));
        Assert.InRange(job.Error.Message.Length, 5, 2100);
    }

    [Fact]
    public async Task A_snoozed_job_runs_again_later_without_using_up_an_attempt()
    {
        var job = await Client.WaitForEndAsync((await Client.SubmitAsync(Programs.Job("test.thrower", new { how = "later" }))).Id);
        Assert.Equal((JobState.Succeeded, "attempt 1, run 3"), (job.State, job.Result!.Value.GetString()));
        Assert.Equal([RunEnding.Snoozed, RunEnding.Snoozed, RunEnding.Succeeded], (await Client.GetRunsAsync(job.Id)).Items.Select(r => r.How!.Value));
    }

    [Fact]
    public async Task A_job_that_runs_longer_than_its_timeout_fails_its_attempt_even_if_it_ignores_that()
    {
        var polite = await Client.SubmitAsync(Programs.Sleep(30, 1) with { Timeout = "PT0.5S", MaxAttempts = 1 });
        var stubborn = await Client.SubmitAsync(Programs.Job("test.stubborn", new { seconds = 6 }) with { MaxAttempts = 1 });
        var end = await Client.WaitForEndAsync(polite.Id, TimeSpan.FromSeconds(5));
        Assert.Equal((JobState.Failed, ErrorCodes.TimedOut), (end.State, end.Error!.Code));
        Assert.Equal(RunEnding.TimedOut, (await Client.GetRunsAsync(polite.Id)).Items[0].How);
        end = await Client.WaitForEndAsync(stubborn.Id, TimeSpan.FromSeconds(5));
        Assert.Equal((JobState.Failed, ErrorCodes.TimedOut), (end.State, end.Error!.Code));
    }

    [Fact]
    public async Task A_running_job_is_cancelled_within_two_seconds()
    {
        var job = await Client.SubmitAsync(Programs.Sleep(60, 1));
        await Client.WaitForAsync(job.Id, j => j.State == JobState.Running);
        var asked = TimeProvider.System.GetTimestamp();
        await Client.CancelAsync(job.Id);
        var end = await Client.WaitForAsync(job.Id, j => j.State == JobState.Cancelled, TimeSpan.FromSeconds(10));
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 2);
        Assert.Equal(0, end.Interruptions);
        Assert.Equal(RunEnding.Cancelled, (await Client.GetRunsAsync(job.Id)).Items[^1].How);
        var refused = await Assert.ThrowsAsync<QueueScaleException>(() => Client.CancelAsync(job.Id));
        Assert.Equal(409, (int)refused.Status);
    }

    [Fact]
    public async Task A_waiting_job_is_cancelled_at_once_and_never_starts()
    {
        var job = await Client.SubmitAsync(Programs.Job("probe.noop") with { Delay = "PT1S" });
        Assert.Equal(JobState.Cancelled, (await Client.CancelAsync(job.Id)).State);
        await Task.Delay(1500, TestContext.Current.CancellationToken);
        Assert.Empty((await Client.GetRunsAsync(job.Id)).Items);
    }

    [Fact]
    public async Task A_paused_queue_starts_nothing_loses_nothing_and_goes_on_within_two_seconds_of_its_resume()
    {
        const string Bulk = "bulk";
        var jobs = (await Client.SubmitBatchAsync([.. Enumerable.Range(0, 250).Select(_ => Programs.Sleep(0.5, 1) with { Queue = Bulk })])).ToList();
        await Waiting.UntilAsync(async () => (await Client.GetQueueAsync(Bulk)).Running > 0);
        try
        {
            Assert.True((await Client.PauseQueueAsync(Bulk)).Paused);
            var pausedAt = await road.Stage.ScalarAsync<DateTime>("select clock_timestamp()");
            jobs.AddRange(await Client.SubmitBatchAsync([.. Enumerable.Range(0, 20).Select(_ => Programs.Job("probe.noop") with { Queue = Bulk })]));
            Assert.All(await Task.WhenAll((await Client.SubmitBatchAsync([.. Enumerable.Range(0, 20).Select(_ => Programs.Job("probe.noop"))])).Select(id => Client.WaitForEndAsync(id))), job => Assert.Equal(JobState.Succeeded, job.State));
            await Waiting.UntilAsync(async () => (await Client.GetQueueAsync(Bulk)).Running == 0);
            Assert.Equal(0, await road.Stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and started_at > $2", jobs, pausedAt));
            Assert.InRange((await Client.GetQueueAsync(Bulk)).Ready, 21, 270);
            Assert.Equal(WaitReason.Paused, (await Client.ExplainAsync(jobs[^1])).Reason);
        }
        finally
        {
            await Client.ResumeQueueAsync(Bulk);
        }

        var resumedAt = await road.Stage.ScalarAsync<DateTime>("select resumed_at from queues where name = $1", Bulk);
        await Waiting.UntilAsync(async () => await road.Stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 5", jobs) == jobs.Count);
        Assert.Equal(0, await road.Stage.ScalarAsync<int>("select max(interruptions + attempts + crashes) from jobs where id = any($1)", jobs)); // a claim that waits for a slot in vain counts as none of these
        Assert.InRange(await road.Stage.ScalarAsync<double>("select extract(epoch from min(started_at) - $2)::float8 from jobs where id = any($1) and started_at > $2", jobs, resumedAt), 0, 2);
    }

    [Fact]
    public async Task A_job_for_a_queue_that_nobody_serves_waits_and_is_counted()
    {
        var job = await Client.SubmitAsync(Programs.Job("probe.noop") with { Queue = "nobody" });
        var scale = await Client.GetScaleAsync("nobody");
        Assert.Equal((1L, 0L, 1L, 0, 1), (scale.Ready, scale.Running, scale.Backlog, scale.Workers, scale.DesiredWorkers));
        Assert.Equal(0, (await Client.GetScaleAsync("never-used")).Backlog);
        await Client.CancelAsync(job.Id);
        Assert.Equal(0, (await Client.GetScaleAsync("nobody")).Ready);
    }

    [Fact]
    public async Task Every_queue_and_worker_is_listed()
    {
        var workers = (await Client.GetWorkersAsync()).Items;
        Assert.Equal(["w1", "w2"], workers.Select(w => w.Name));
        Assert.All(workers, worker => Assert.Equal((32, false), (worker.Slots, worker.Draining)));
        Assert.Contains((await Client.GetQueuesAsync()).Items, queue => queue is { Name: "default", Workers: 2 });
        Assert.Contains((await Client.GetJobTypesAsync()).Items, type => type is { Name: "csv.import", Queue: "bulk" });
    }
}
