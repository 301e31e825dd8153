namespace QueueScale.Tests;

/// <summary>RabbitMQ is the road, and may be lost at any time.</summary>
public sealed class BrokerTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Fact]
    public async Task Without_reconcile_and_the_dead_worker_duty_the_whole_road_works_through_RabbitMQ_alone()
    {
        var client = stage.Client(await stage.StartApiAsync(program: Programs.TestApi, settings: Programs.Seams("no ReconcileDuty", "no DeadWorkerDuty", "no FeedDuty")));
        var worker = await stage.StartWorkerAsync("w1");
        await stage.StartWorkerAsync("w2");
        var quick = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => client.SubmitAsync(Programs.Job("probe.noop"))));
        var handedOver = (await client.SubmitAsync(Programs.Sleep(3, 30))).Id;
        var delayed = (await client.SubmitAsync(Programs.Job("probe.noop") with { Delay = "PT1S" })).Id;
        var retried = (await client.SubmitAsync(Programs.Job("probe.fail", new { times = 1 }))).Id;
        await client.WaitForAsync(handedOver, j => j.State == JobState.Running);
        worker.Process.Signal(Signal.Terminate);
        foreach (var id in quick.Select(j => j.Id).Concat([handedOver, delayed, retried]))
        {
            Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(id)).State);
        }
    }

    [Fact]
    public async Task With_RabbitMQ_stopped_jobs_are_accepted_and_none_starts_until_it_is_back()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("w1");
        var running = (await client.SubmitAsync(Programs.Sleep(8, 80))).Id;
        await client.WaitForAsync(running, j => j.State == JobState.Running);
        await stage.Servers.All.Rabbit.KillAsync();
        var jobs = new List<Guid>();
        for (var i = 0; i < 50; i++)
        {
            jobs.Add((await client.SubmitAsync(Programs.Job("probe.noop"))).Id);
        }

        await Task.Delay(4000, TestContext.Current.CancellationToken);
        Assert.Equal(50, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 1", jobs.ToArray()));
        Assert.Equal(JobState.Running, (await client.GetJobAsync(running)).State);
        await stage.Servers.All.Rabbit.StartAsync();
        foreach (var id in jobs)
        {
            Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(id, TimeSpan.FromSeconds(60))).State);
        }

        var undisturbed = await client.WaitForEndAsync(running);
        Assert.Equal((JobState.Succeeded, 0), (undisturbed.State, undisturbed.Interruptions)); // a broker restart disturbs no running job
        Assert.Equal(1, await stage.ScalarAsync<int>("select max(epoch) from jobs"));
    }

    [Fact]
    public async Task A_probe_that_could_not_be_sent_is_repeated_soon()
    {
        await stage.StartApiAsync(settings: ("ConnectionStrings__RabbitMq", new UriBuilder(stage.RabbitMq) { Port = 1 }.Uri.ToString())); // nobody listens there
        await stage.ExecuteAsync("insert into jobs (id, tenant, type, queue, state, max_attempts, input, at) values (gen_random_uuid(), 1, 'probe.noop', 'default', 1, 3, '{}', clock_timestamp() - interval '1 min')");
        Task<long> ProbesAsync(string which) => stage.ScalarAsync<long>($"select count(*) from lanes where {which}");
        await Waiting.UntilAsync(async () => await ProbesAsync("probe_at is not null") == 1);
        await stage.ExecuteAsync("update lanes set probe_sent = probe_sent - interval '7 s'");
        await Waiting.UntilAsync(async () => await ProbesAsync("probe_sent > probe_at - interval '1 s'") == 1, patience: TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_broker_that_is_down_at_the_start_stops_neither_process()
    {
        await stage.Servers.All.Rabbit.KillAsync();
        var api = await stage.StartApiAsync(); // ready: jobs are accepted
        var client = stage.Client(api);
        var worker = await HostProcess.StartAsync(stage.Folder, Servers.NewName(), Checkout.ProgramOf(HostProcess.Worker), HostSettings.OfWorker(stage.Postgres, stage.RabbitMq, "early", stage.DataRoot));
        try
        {
            using var http = new HttpClient();
            await Waiting.UntilAsync(async () => await ReadAsync(http, worker) is { } body && body.Contains("disconnected", StringComparison.Ordinal));
            Assert.Contains("degraded", await http.GetStringAsync(new Uri(api.Url, "health/ready"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
            await Waiting.UntilAsync(async () => (await client.GetJobTypesAsync()).Items.Count > 0);
            var job = (await client.SubmitAsync(Programs.Job("probe.noop"))).Id;
            await stage.Servers.All.Rabbit.StartAsync();
            await worker.WaitUntilReadyAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job, TimeSpan.FromSeconds(60))).State);
        }
        finally
        {
            await worker.Process.KillAsync();
        }
    }

    [Fact]
    public async Task A_deleted_queue_with_a_thousand_jobs_in_it_costs_time_and_no_job()
    {
        var client = stage.Client(await stage.StartApiAsync());
        var types = await stage.StartWorkerAsync("w1");
        types.Process.Signal(Signal.Terminate);
        await types.Process.WaitForExitAsync();
        var jobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 1000).Select(_ => Programs.Job("probe.noop"))]);
        using (var management = stage.Servers.All.Rabbit.ManagementClient())
        {
            await Waiting.UntilAsync(async () => (await management.DeleteAsync($"api/queues/{stage.Vhost}/qs.default")).IsSuccessStatusCode);
        }

        await stage.StartWorkerAsync("w2");
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5") == 1000, patience: TimeSpan.FromSeconds(60));
        Assert.Equal(1000, jobs.Count);
        Assert.Equal(1, await stage.ScalarAsync<int>("select max(epoch) from jobs"));
        Assert.InRange(await stage.ScalarAsync<double>("select avg(dispatch)::float8 from jobs"), 0, 0.2);
    }

    [Fact]
    public async Task A_queue_that_is_deleted_under_its_consumers_is_declared_anew_and_consumed()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("w1");
        await client.WaitForEndAsync((await client.SubmitAsync(Programs.Job("probe.noop"))).Id);
        using (var management = stage.Servers.All.Rabbit.ManagementClient())
        {
            await Waiting.UntilAsync(async () => (await management.DeleteAsync($"api/queues/{stage.Vhost}/qs.default")).IsSuccessStatusCode);
        }

        var jobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 100).Select(_ => Programs.Job("probe.noop"))]);
        foreach (var id in jobs)
        {
            Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(id, TimeSpan.FromSeconds(40))).State);
        }
    }

    [Fact]
    public async Task Jobs_whose_API_was_killed_between_commit_and_send_are_found_and_run_once()
    {
        var doomed = await stage.StartApiAsync("doomed", Programs.TestApi, Programs.Seams("die between commit and send"));
        await stage.StartWorkerAsync("w1");
        var client = stage.Client(doomed);
        await Waiting.UntilAsync(async () => (await client.GetJobTypesAsync()).Items.Count > 0);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.SubmitAsync(Programs.Job("probe.noop")));
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from jobs where state = 1"));
        await stage.StartApiAsync("another");
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5") == 1, patience: TimeSpan.FromSeconds(20));
        Assert.Equal(1, await stage.ScalarAsync<int>("select epoch from jobs"));
    }

    [Fact]
    public async Task Lost_wake_ups_are_found_under_load_and_only_those_are_sent_again()
    {
        var good = stage.Client(await stage.StartApiAsync());
        var forgetful = stage.Client(await stage.StartApiAsync("forgetful", Programs.TestApi, Programs.Seams("never send", "no ReconcileDuty")));
        await stage.StartWorkerAsync("w1");
        await Waiting.UntilAsync(async () => (await forgetful.GetJobTypesAsync()).Items.Count > 0);
        var lost = await forgetful.SubmitBatchAsync([.. Enumerable.Range(0, 20).Select(_ => Programs.Job("probe.noop"))]);
        var begun = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(12))
        {
            await good.SubmitBatchAsync([.. Enumerable.Range(0, 50).Select(_ => Programs.Job("probe.noop"))]);
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        foreach (var id in lost)
        {
            Assert.Equal(JobState.Succeeded, (await good.WaitForEndAsync(id)).State);
        }

        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state <> 5") == 0);
        Assert.Equal(20, await stage.ScalarAsync<long>("select sum(dispatch) from jobs"));
    }

    private static async Task<string?> ReadAsync(HttpClient http, HostProcess host)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(host.Url, "health/ready"));
            return await answer.Content.ReadAsStringAsync();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
