namespace QueueScale.Tests;

/// <summary>PostgreSQL is the only truth; while it is away nothing is decided.</summary>
public sealed class PostgresTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await stage.Servers.All.Postgres.StartAsync();
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task A_killed_and_restarted_PostgreSQL_gets_no_live_worker_declared_dead()
    {
        await stage.ForgetJobsAsync(); // of workers that other tests have killed: they would be handed over to these
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("w1");
        await stage.StartWorkerAsync("w2");
        await Task.Delay(TimeSpan.FromSeconds(11), TestContext.Current.CancellationToken); // the API may judge from now on
        var jobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 50).Select(_ => Programs.Sleep(10, 100))]);
        await Waiting.UntilAsync(async () => (await client.GetScaleAsync("default")).Running == 50);
        await stage.Servers.All.Postgres.KillAsync();
        await stage.Servers.All.Postgres.StartAsync();
        stage.Sql.Clear(); // its connections ended with the server

        foreach (var id in jobs)
        {
            await Waiting.UntilAsync(async () => await TryReadAsync(client, id) is { State: JobState.Succeeded }, patience: TimeSpan.FromSeconds(60));
        }

        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from workers where name in ('w1', 'w2') and dead_at is not null")); // those of other tests were killed
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and (crashes > 0 or state = 6)", jobs));
    }

    [Fact]
    public async Task A_worker_that_is_stopped_ends_within_its_budget_although_PostgreSQL_does_not_answer()
    {
        var client = stage.Client(await stage.StartApiAsync("api4"));
        var worker = await stage.StartWorkerAsync("held", settings: ("Worker__DrainBudget", "00:00:02"));
        await client.WaitForAsync((await client.SubmitAsync(Programs.Sleep(60, 600))).Id, job => job.Progress?.Done > 3);
        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Stop);
        try
        {
            var asked = TimeProvider.System.GetTimestamp();
            worker.Process.Signal(Signal.Terminate);
            await worker.Process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 2, 2 + 5 + 0.9); // 5 s to leave; and the end of a killed process is seen
        }
        finally
        {
            stage.Servers.All.Postgres.Process!.SignalAll(Signal.Continue);
        }
    }

    [Fact]
    public async Task A_run_that_its_worker_never_learned_of_is_put_back()
    {
        var client = stage.Client(await stage.StartApiAsync("api2"));
        await stage.StartWorkerAsync("alone");
        await Waiting.UntilAsync(async () => (await client.GetWorkersAsync()).Items.Any(w => w.Name == "alone"));
        var job = await client.SubmitAsync(Programs.Job("probe.noop") with { Delay = "PT1H" });
        // As a claim leaves it whose answer was lost on its way to the worker.
        await stage.ExecuteAsync($"update jobs set state = 2, epoch = 1, worker = (select id from workers where name = 'alone'), started_at = clock_timestamp() where id = '{job.Id}'");
        var end = await client.WaitForEndAsync(job.Id, TimeSpan.FromSeconds(15));
        Assert.Equal((JobState.Succeeded, 0, 0), (end.State, end.Interruptions, end.Crashes));
        Assert.Equal([RunEnding.Lost, RunEnding.Succeeded], (await client.GetRunsAsync(job.Id)).Items.Select(r => r.How!.Value));
    }

    [Fact]
    public async Task A_worker_without_a_pulse_claims_nothing_until_it_has_one_again()
    {
        var client = stage.Client(await stage.StartApiAsync("api3"));
        var worker = await stage.StartWorkerAsync("silent");
        Job job;
        await using (var connection = await stage.Sql.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            // Nobody can write to workers, all else goes on.
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await using var hold = new Npgsql.NpgsqlCommand("lock table workers in share row exclusive mode", connection);
            await hold.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            using var http = new HttpClient();
            await Waiting.UntilAsync(async () =>
            {
                using var answer = await http.GetAsync(new Uri(worker.Url, "health/ready"), TestContext.Current.CancellationToken);
                return (await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Contains("no pulse", StringComparison.Ordinal);
            });
            job = await client.SubmitAsync(Programs.Sleep(3, 30));
            await Task.Delay(TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken);
            Assert.Equal(0, await stage.ScalarAsync<int>("select epoch from jobs where id = $1", job.Id));
        }

        var end = await client.WaitForEndAsync(job.Id);
        Assert.Equal((JobState.Succeeded, 1, 0), (end.State, end.Attempt, end.Interruptions));
        Assert.Equal(1, await stage.ScalarAsync<int>("select epoch from jobs where id = $1", job.Id));
    }

    private static async Task<Job?> TryReadAsync(QueueScaleClient client, Guid id)
    {
        try
        {
            return await client.GetJobAsync(id);
        }
        catch (QueueScaleException error) when (error.Status == 503)
        {
            return null;
        }
    }
}
