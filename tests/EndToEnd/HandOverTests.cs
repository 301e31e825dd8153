using Npgsql;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

public sealed class HandOverTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Fact]
    public async Task After_SIGTERM_another_worker_goes_on_from_the_checkpoint_and_the_process_ends_with_0()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        var job = await StartedAsync(client, Programs.Sleep(6, 60));
        var first = workers[await client.WorkerOfAsync(job)];
        await Waiting.UntilAsync(async () => (await client.GetJobAsync(job)).Progress?.Done >= 10);
        first.Process.Signal(Signal.Terminate);
        Assert.Equal(0, await first.Process.WaitForExitAsync());

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1, 1, 0), (end.State, end.Attempt, end.Interruptions, end.Crashes));
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([RunEnding.Interrupted, RunEnding.Succeeded], runs.Select(r => r.How!.Value));
        Assert.NotEqual(runs[0].Worker, runs[1].Worker);
        Assert.True(runs[1].FromCheckpoint >= 10);
        Assert.InRange(runs[1].HandoverSeconds!.Value, 0, 2);
    }

    [Fact]
    public async Task A_worker_that_is_asked_to_drain_hands_over_as_after_SIGTERM_and_its_successor_of_the_same_name_goes_on()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        var job = await StartedAsync(client, Programs.Sleep(6, 60));
        var name = await client.WorkerOfAsync(job);
        await Waiting.UntilAsync(async () => (await client.GetJobAsync(job)).Progress?.Done >= 10);
        var asked = TimeProvider.System.GetTimestamp();
        Assert.Equal(workers[name].Process.Pid, Assert.Single((await client.DrainWorkerAsync(name)).Items).Pid);
        Assert.Equal(0, await workers[name].Process.WaitForExitAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 5);
        var successor = await stage.StartWorkerAsync(name); // 3 s after its first pulse it would have heard

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1, 1, 0), (end.State, end.Attempt, end.Interruptions, end.Crashes));
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([RunEnding.Interrupted, RunEnding.Succeeded], runs.Select(r => r.How!.Value));
        Assert.True(runs[1].FromCheckpoint >= 10);
        Assert.InRange(runs[1].HandoverSeconds!.Value, 0, 2);
        Assert.Contains((await client.GetWorkersAsync()).Items, worker => worker.Pid == successor.Process.Pid && !worker.Draining);
    }

    [Fact]
    public async Task After_SIGKILL_another_worker_goes_on_from_the_checkpoint_within_its_bound()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        await SteadyAsync();
        var job = await StartedAsync(client, Programs.Sleep(8, 80));
        var first = workers[await client.WorkerOfAsync(job)];
        await Waiting.UntilAsync(async () => (await client.GetJobAsync(job)).Progress?.Done >= 10);
        var killed = DateTime.UtcNow;
        first.Process.Signal(Signal.Kill);

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1, 1), (end.State, end.Attempt, end.Crashes));
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([RunEnding.Crashed, RunEnding.Succeeded], runs.Select(r => r.How!.Value));
        Assert.True(runs[1].FromCheckpoint >= 10);
        Assert.InRange((runs[1].StartedAt - killed).TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task A_worker_frozen_past_its_lease_changes_nothing_when_it_wakes()
    {
        var file = Path.Combine(stage.DataRoot, Servers.NewName());
        var (client, workers) = await StartAsync(Programs.TestWorker, ("Worker__Lease", "00:00:05"), "w1", "w2");
        var job = await StartedAsync(client, Programs.Job("test.steps", new { ledger = file, steps = 80, milliseconds = 100 }));
        var first = await client.WorkerOfAsync(job);
        await Waiting.UntilAsync(() => Task.FromResult(File.Exists(file) && File.ReadAllLines(file).Length > 5));
        workers[first].Process.Signal(Signal.Stop);
        await client.WaitForAsync(job, j => j.Crashes == 1 && j.State == JobState.Running);
        workers[first].Process.Signal(Signal.Continue);

        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job)).State);
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([first, runs[1].Worker], runs.Select(r => r.Worker));
        var ledger = new List<LedgerLine>();
        LedgerFile.Read(file, ledger, []);
        var steps = ledger.Where(line => line.Mark == LedgerMark.Step).ToArray();
        Assert.Equal(Enumerable.Range(1, 80), steps.Select(s => s.Step).Distinct().Order());
        Assert.InRange(steps.Where(s => s.Epoch == 1).Max(s => s.Step) - steps.Where(s => s.Epoch == 2).Min(s => s.Step), -1, 1); // at most the step it was frozen in
        await Waiting.UntilAsync(async () => (await client.GetWorkersAsync()).Items.Count == 2); // it goes on under a new id
    }

    [Fact]
    public async Task A_second_SIGTERM_ends_the_drain_at_once_and_the_jobs_go_on_elsewhere()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        var job = await StartedAsync(client, Programs.Sleep(8, 1)); // no checkpoint before its end
        var first = workers[await client.WorkerOfAsync(job)];
        var asked = TimeProvider.System.GetTimestamp();
        first.Process.Signal(Signal.Terminate);
        await Waiting.UntilAsync(async () => (await client.GetWorkersAsync()).Items.Any(w => w.Draining));
        Assert.Equal(JobState.Running, (await client.GetJobAsync(job)).State);
        first.Process.Signal(Signal.Terminate);
        Assert.Equal(0, await first.Process.WaitForExitAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 5);
        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1), (end.State, end.Interruptions));
    }

    [Fact]
    public async Task A_job_that_is_being_claimed_when_SIGTERM_comes_is_given_back_unstarted()
    {
        var (client, workers) = await StartAsync("w1");
        var worker = workers["w1"].Process;
        worker.Signal(Signal.Stop);
        var job = (await client.SubmitAsync(Programs.Sleep(60, 600))).Id;
        await using var connection = await stage.Sql.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand($"select from jobs where id = '{job}' for update", connection);
        await hold.ExecuteNonQueryAsync();
        worker.Signal(Signal.Continue);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0);
        var asked = TimeProvider.System.GetTimestamp();
        worker.Signal(Signal.Terminate);
        await Waiting.UntilAsync(async () => (await client.GetWorkersAsync()).Items.Any(w => w.Draining));
        await transaction.CommitAsync();
        Assert.Equal(0, await worker.WaitForExitAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 5);
        var waiting = await client.GetJobAsync(job);
        Assert.Equal((JobState.Queued, null), (waiting.State, waiting.CheckpointedAt));
    }

    [Fact]
    public async Task Handlers_that_ignore_every_request_to_stop_are_left_behind_within_the_budget()
    {
        var (client, workers) = await StartAsync(Programs.TestWorker, ("Worker__DrainBudget", "00:00:02"), "w1", "w2");
        var stubborn = await StartedAsync(client, Programs.Job("test.stubborn", new { seconds = 60 }) with { Timeout = "PT1H", Tags = ["x"] });
        var swallower = await StartedAsync(client, Programs.Job("test.swallower"));
        var first = await client.WorkerOfAsync(stubborn);
        var asked = TimeProvider.System.GetTimestamp();
        workers[first].Process.Signal(Signal.Terminate);
        Assert.Equal(0, await workers[first].Process.WaitForExitAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 1.5, 7);
        await client.WaitForAsync(stubborn, j => j is { State: JobState.Running, Interruptions: 1 });
        Assert.NotEqual(first, await client.WorkerOfAsync(stubborn));
        await client.CancelAsync(stubborn);
        await client.CancelAsync(swallower);
        await client.WaitForEndAsync(stubborn, TimeSpan.FromSeconds(2.5));
        await client.WaitForEndAsync(swallower, TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task The_last_state_that_was_not_saved_in_between_is_saved_when_the_run_is_put_back()
    {
        var (client, workers) = await StartAsync(Programs.TestWorker, ("Worker__Slots", "2"), "w1", "w2");
        var job = await StartedAsync(client, Programs.Job("test.last-state"));
        await Task.Delay(500, TestContext.Current.CancellationToken); // some states are given and not saved
        Assert.Null((await client.GetJobAsync(job)).CheckpointedAt);
        workers[await client.WorkerOfAsync(job)].Process.Signal(Signal.Terminate);
        var end = await client.WaitForEndAsync(job);
        Assert.InRange(end.Result!.Value.GetInt32(), 5, 1000);
    }

    [Fact]
    public async Task A_poison_job_dies_alone()
    {
        var (client, _) = await StartAsync("w1");
        await SteadyAsync();
        var neighbours = await client.SubmitBatchAsync([.. Enumerable.Range(0, 15).Select(_ => Programs.Sleep(15, 150))]);
        await Waiting.UntilAsync(async () => (await client.GetScaleAsync("default")).Running == 15);
        var poison = (await client.SubmitAsync(Programs.Job("probe.crash", new { times = 99 }))).Id;
        for (var crash = 1; crash <= 3; crash++)
        {
            await Waiting.UntilAsync(async () => (await client.GetJobAsync(poison)).Crashes == crash);
            if (crash < 3)
            {
                await stage.StartWorkerAsync($"w1-{crash}");
            }
        }

        var end = await client.WaitForEndAsync(poison);
        Assert.Equal((JobState.Failed, ErrorCodes.WorkerLost, 3), (end.State, end.Error!.Code, end.Crashes));
        await stage.StartWorkerAsync("w1-3");
        foreach (var neighbour in neighbours)
        {
            Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(neighbour, TimeSpan.FromSeconds(60))).State);
        }
    }

    [Fact]
    public async Task Sixty_four_long_jobs_in_one_message_do_not_wait_for_the_worker_that_got_it()
    {
        var (client, _) = await StartAsync("QueueScale.Worker", ("Worker__Slots", "1"), "w1");
        var jobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 64).Select(_ => Programs.Sleep(3600, 3600))]);
        await Waiting.UntilAsync(async () => (await client.GetScaleAsync("default")).Running == 1);
        var asked = TimeProvider.System.GetTimestamp();
        await stage.StartWorkerAsync("w2", settings: ("Worker__Slots", "8"));
        await Waiting.UntilAsync(async () => (await client.GetScaleAsync("default")).Running == 9);
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 0, 6); // with its start-up
        Assert.Equal(64, jobs.Count);
    }

    [Fact]
    public async Task Jobs_behind_a_frozen_worker_start_elsewhere_within_fifteen_seconds()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        workers["w1"].Process.Signal(Signal.Stop);
        var jobs = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => client.SubmitAsync(Programs.Job("probe.noop")))); // some wake-ups lie with the frozen one
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5") == jobs.Length, patience: TimeSpan.FromSeconds(15));
        workers["w1"].Process.Signal(Signal.Continue);
        Assert.Equal(1, await stage.ScalarAsync<int>("select max(epoch) from jobs"));
    }

    [Fact]
    public async Task A_hand_over_does_not_wait_behind_a_backlog_of_a_hundred_thousand()
    {
        var (client, workers) = await StartAsync("w1", "w2");
        var job = await StartedAsync(client, Programs.Sleep(120, 1200));
        await stage.ExecuteAsync(
            """
            insert into jobs (id, tenant, type, queue, state, max_attempts, input)
            select gen_random_uuid(), 1, 'probe.sleep', 'default', 1, 3, '{"seconds": 0.5, "steps": 1}' from generate_series(1, 100000)
            """);
        QueueScaleInfo? scale = null;
        await Waiting.UntilAsync( // all slots are at work, no longer in step, and the lane is filled
            async () => (scale = await client.GetScaleAsync("default")) is { Running: > 32, Ready: > 90_000 and < 99_600 }, () => $"{scale}", TimeSpan.FromSeconds(60));
        var first = workers[await client.WorkerOfAsync(job)];
        var asked = DateTime.UtcNow;
        first.Process.Signal(Signal.Terminate);
        var running = await client.WaitForAsync(job, j => j is { State: JobState.Running, Interruptions: 1 }, TimeSpan.FromSeconds(10));
        Assert.InRange((running.StartedAt!.Value - asked).TotalSeconds, 0, 2);
    }

    private Task<(QueueScaleClient Client, Dictionary<string, HostProcess> Workers)> StartAsync(params string[] names) => StartAsync(HostProcess.Worker, ("Worker__Slots", "32"), names);

    private async Task<(QueueScaleClient Client, Dictionary<string, HostProcess> Workers)> StartAsync(string program, (string, string?) setting, params string[] names)
    {
        var client = stage.Client(await stage.StartApiAsync());
        var workers = new Dictionary<string, HostProcess>();
        foreach (var name in names)
        {
            workers[name] = await stage.StartWorkerAsync(name, program, setting);
        }

        return (client, workers);
    }

    /// <summary>Submits a job and waits until it runs.</summary>
    private static async Task<Guid> StartedAsync(QueueScaleClient client, SubmitJob job)
    {
        var id = (await client.SubmitAsync(job)).Id;
        await client.WaitForAsync(id, j => j.State == JobState.Running);
        return id;
    }

    /// <summary>An API judges no worker before it has watched for a whole lease.</summary>
    private static Task SteadyAsync() => Task.Delay(TimeSpan.FromSeconds(11));
}
