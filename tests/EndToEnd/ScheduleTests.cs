using QueueScale.Faults;

namespace QueueScale.Tests;

/// <summary>Schedules with several APIs, and with none for a while.</summary>
public sealed class ScheduleTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    /// <summary>All schedules whose names begin so.</summary>
    private const string Of = "name like 'of-%'";

    /// <summary>Jobs that no tick has made, or made beside another one, and ticks without a job.</summary>
    private const string Stray = "select count(*) from jobs j full join schedule_ticks t on t.job = j.id where j.id is null or t.job is null";

    public async ValueTask DisposeAsync()
    {
        await stage.Servers.All.Postgres.StartAsync();
        stage.Sql.Clear();
        await stage.ResetAsync();
    }

    [Fact]
    public async Task Three_APIs_of_which_two_have_wrong_clocks_make_one_job_for_each_of_a_thousand_ticks()
    {
        await FaultPrograms.EnsureAsync(stage.Folder);
        using FakeClock ahead = new(TimeSpan.FromHours(1)), behind = new(TimeSpan.FromHours(-1));
        var apis = new[] { await stage.StartApiAsync("api-1"), await StartAsync("api-2", ahead), await StartAsync("api-3", behind) };
        var client = stage.Client(apis[1]);
        await stage.StartWorkerAsync("w1");
        await PutAsync(client, "each-minute", "* * * * *");
        await PutManyAsync(client, 1000);
        await PutAsync(client, "soon", "0 0 1 1 *");
        await stage.ExecuteAsync("update schedules set next_at = clock_timestamp() + interval '30 min' where name = 'soon'"); // not yet, whatever any of them thinks the time is
        for (var wave = 0; wave < 100; wave++)
        {
            await MoveAsync(wave);
        }

        await MadeAsync(1000);
        await EachMinuteAsync();
        Assert.Equal(0, await stage.ScalarAsync<long>(Stray));
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from schedule_ticks where name = 'soon'"));
        Assert.All(await Task.WhenAll(apis.Select(MadeByAsync)), made => Assert.True(made > 0)); // each of them made some
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state <> 5") == 0); // and all of them were sent
    }

    [Fact]
    public async Task After_a_downtime_the_latest_of_the_missed_ticks_makes_the_one_job()
    {
        var api = await stage.StartApiAsync("api-before");
        await stage.StartWorkerAsync("w1");
        await PutAsync(stage.Client(api), "of-daily", "0 0 * * *", "Europe/Berlin");
        api.Process.Signal(Signal.Kill);
        await api.Process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await stage.ExecuteAsync("update schedules set next_at = next_at - interval '30 d'");
        var clients = (await Task.WhenAll(stage.StartApiAsync("api-1"), stage.StartApiAsync("api-2"))).Select(api => stage.Client(api)).ToArray();
        await MadeAsync(1);
        var schedule = await clients[0].GetScheduleAsync("of-daily");
        Assert.InRange(DateTime.UtcNow - schedule.LastAt!.Value, TimeSpan.Zero, TimeSpan.FromHours(25)); // the day on which clocks are put back
        Assert.InRange(schedule.NextAt!.Value, DateTime.UtcNow, DateTime.UtcNow.AddHours(25));
        await clients[1].WaitForEndAsync(schedule.LastJob!.Value);
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from jobs"));
        Assert.Contains("again since", await File.ReadAllTextAsync(stage.LogOf("api-1")) + await File.ReadAllTextAsync(stage.LogOf("api-2")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_PostgreSQL_that_is_killed_while_ticks_are_made_loses_none_and_makes_none_twice()
    {
        var client = stage.Client((await Task.WhenAll(Enumerable.Range(1, 3).Select(n => stage.StartApiAsync($"api-{n}"))))[0]);
        await stage.StartWorkerAsync("w1");
        await PutManyAsync(client, 1000);
        for (var wave = 0; wave < 100; wave++)
        {
            await MoveAsync(wave);
            if (wave % 20 == 19)
            {
                await stage.Servers.All.Postgres.KillAsync(); // in the midst of ticks: a duty's pause is longer than that of the waves
                await stage.Servers.All.Postgres.StartAsync();
                stage.Sql.Clear();
            }
        }

        await MadeAsync(1000);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state <> 5") == 0, patience: TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_schedule_that_is_put_again_and_again_while_its_tick_is_due_makes_one_job_a_tick()
    {
        var clients = (await Task.WhenAll(stage.StartApiAsync("api-1"), stage.StartApiAsync("api-2"))).Select(api => stage.Client(api)).ToArray();
        await stage.StartWorkerAsync("w1");
        for (var round = 0; round < 100; round++)
        {
            await Task.WhenAll(clients.Select(client => PutAsync(client, "of-putting", Random.Shared.GetItems(["* * * * *", "*/1 * * * *", "0-59 * * * *"], 1)[0])));
            await stage.ExecuteAsync("update schedules set next_at = date_trunc('minute', clock_timestamp())"); // as one leaves it that looked at the time before the last tick
            await Task.Delay(Random.Shared.Next(100), TestContext.Current.CancellationToken);
        }

        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from schedules where next_at <= clock_timestamp()") == 0);
        Assert.InRange(await stage.ScalarAsync<long>("select count(*) from schedule_ticks"), 1, 10);
        Assert.Equal(0, await stage.ScalarAsync<long>(Stray));
    }

    private Task<HostProcess> StartAsync(string called, FakeClock clock) => stage.StartApiAsync(called, settings: [.. clock.Environment.Select(variable => (variable.Key, variable.Value))]);

    private static async Task PutAsync(QueueScaleClient client, string name, string cron, string zone = "UTC")
    {
        Schedule? put = null;
        await Waiting.UntilAsync(async () =>
        {
            try
            {
                put = await client.PutScheduleAsync(name, new PutSchedule { Cron = cron, TimeZone = zone, Job = Programs.Job("probe.noop") });
                return true;
            }
            catch (QueueScaleException error) when (error.Errors.ContainsKey("/job/type"))
            {
                return false; // the worker has not registered it yet
            }
        });
        Assert.NotNull(put!.NextAt);
    }

    /// <summary>Schedules whose tick is far off, until a test moves it.</summary>
    private async Task PutManyAsync(QueueScaleClient client, int count)
    {
        await PutAsync(client, "pattern", "0 0 1 1 *");
        await stage.ExecuteAsync(
            $"""
            insert into schedules (tenant, name, cron, zone, paused, next_at, type, queue, high, max_attempts, timeout, input, tags)
            select tenant, 'of-' || to_char(n, 'FM0000'), cron, zone, paused, next_at, type, queue, high, max_attempts, timeout, input, tags from schedules, generate_series(0, {count - 1}) n where name = 'pattern'
            """);
    }

    /// <summary>Makes ten of a thousand schedules due.</summary>
    private async Task MoveAsync(int wave)
    {
        await stage.ExecuteAsync($"update schedules set next_at = date_trunc('minute', clock_timestamp()) where {Of} and right(name, 2) = '{wave:00}'");
        await Task.Delay(Random.Shared.Next(60), TestContext.Current.CancellationToken);
    }

    private async Task MadeAsync(int ticks)
    {
        long made = 0;
        await Waiting.UntilAsync(async () => (made = await stage.ScalarAsync<long>($"select count(*) from schedule_ticks where {Of}")) >= ticks, () => $"{made} of {ticks} ticks were made");
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // for those that would come too often
        Assert.Equal(ticks, await stage.ScalarAsync<long>($"select count(*) from schedule_ticks where {Of}"));
        Assert.Equal(0, await stage.ScalarAsync<long>(Stray));
    }

    /// <summary>Waits for a minute to begin and asserts that it, and each before, has made its job in its first seconds.</summary>
    private async Task EachMinuteAsync()
    {
        const string Ticks = "from schedule_ticks t join jobs j on j.id = t.job where t.name = 'each-minute'";
        var before = await stage.ScalarAsync<long>($"select count(*) {Ticks}");
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>($"select count(*) {Ticks}") > before, patience: TimeSpan.FromSeconds(70));
        Assert.Equal(0, await stage.ScalarAsync<long>($"select count(*) {Ticks} and (j.created_at < t.tick or j.created_at > t.tick + interval '5 s' or extract(second from t.tick) <> 0)"));
        Assert.Equal(await stage.ScalarAsync<int>($"select extract(epoch from max(t.tick) - min(t.tick))::int / 60 + 1 {Ticks}"), await stage.ScalarAsync<long>($"select count(*) {Ticks}"));
    }

    /// <summary>The jobs that an API's ticks have made.</summary>
    private static async Task<double> MadeByAsync(HostProcess api)
    {
        using var http = new HttpClient();
        var page = await http.GetStringAsync(new Uri(api.Url, "metrics"));
        return page.Split('\n').Where(line => line.StartsWith("queuescale_jobs_submitted_total{", StringComparison.Ordinal)).Sum(line => double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture));
    }
}
