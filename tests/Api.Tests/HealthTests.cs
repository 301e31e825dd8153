using System.Net;
using System.Net.Sockets;

namespace QueueScale.Tests;

/// <summary>What the probes of an API are told, and how soon.</summary>
public sealed class HealthTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    /// <summary>timeoutSeconds of the readiness probe in k8s/base/api.yaml. The checks themselves end after 1 second; the rest allows for a busy machine.</summary>
    private static readonly TimeSpan ReadinessTimeout = TimeSpan.FromSeconds(3);

    /// <summary>timeoutSeconds of the liveness probe.</summary>
    private static readonly TimeSpan LivenessTimeout = TimeSpan.FromSeconds(5);

    private readonly HttpClient http = new() { DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) }, Timeout = TimeSpan.FromSeconds(20) };

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        stage.Servers.All.Postgres.Process?.SignalAll(Signal.Continue);
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task A_ready_API_says_of_each_dependency_that_it_answers_and_how_long_that_took()
    {
        var api = await stage.StartApiAsync();
        await Waiting.UntilAsync(async () => (await GetAsync(api, "ready")).Status == "ready"); // RabbitMQ is awaited by nobody
        var (code, status, checks, _) = await GetAsync(api, "ready");
        Assert.Equal((200, "ready"), (code, status));
        Assert.Equal(["postgres/general", "postgres/steps", "rabbitmq"], checks.Keys.Order(StringComparer.Ordinal));
        Assert.All(checks.Values, check => Assert.Equal("ok", check.GetProperty("status").GetString()));
        Assert.All(checks.Values, check => Assert.InRange(check.GetProperty("seconds").GetDouble(), 0.00001, 1));
    }

    [Fact]
    public async Task While_a_pool_of_connections_is_used_up_the_API_lives_and_is_not_ready()
    {
        var told = Path.Combine(stage.DataRoot, Servers.NewName());
        var api = await stage.StartApiAsync("used-up", "QueueScale.TestApi", ("TEST_API_SEAMS", "hold the connections while told to"), ("TEST_API_HOLD", told));
        await File.WriteAllTextAsync(told, "", TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(async () => (await GetAsync(api, "ready")).Code == 503);
        for (var probe = 0; probe < 5; probe++)
        {
            var (code, status, checks, took) = await GetAsync(api, "ready");
            Assert.Equal((503, "unavailable"), (code, status));
            Assert.Equal("failed", checks["postgres/general"].GetProperty("status").GetString());
            Assert.Equal("ok", checks["postgres/steps"].GetProperty("status").GetString());
            Assert.InRange(took, TimeSpan.Zero, ReadinessTimeout);
            var live = await GetAsync(api, "live");
            Assert.Equal((200, "live"), (live.Code, live.Status));
            Assert.InRange(live.Took, TimeSpan.Zero, LivenessTimeout);
        }

        File.Delete(told);
        await Waiting.UntilAsync(async () => (await GetAsync(api, "ready")).Code == 200, patience: TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task While_PostgreSQL_is_frozen_readiness_fails_in_time()
    {
        var api = await stage.StartApiAsync();
        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Stop);
        await Waiting.UntilAsync(async () => (await GetAsync(api, "ready")).Code == 503, patience: TimeSpan.FromSeconds(3));
        for (var probe = 0; probe < 10; probe++)
        {
            var (code, status, checks, took) = await GetAsync(api, "ready");
            Assert.Equal((503, "unavailable"), (code, status));
            Assert.NotEmpty(checks["postgres/steps"].GetProperty("reason").GetString()!);
            Assert.InRange(took, TimeSpan.Zero, ReadinessTimeout);
            Assert.InRange((await GetAsync(api, "live")).Took, TimeSpan.Zero, LivenessTimeout);
            await Task.Delay(300, TestContext.Current.CancellationToken); // probes come by the clock
        }

        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Continue);
        await Waiting.UntilAsync(async () => (await GetAsync(api, "ready")).Code == 200, patience: TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Where_packets_vanish_an_API_lives_and_says_in_time_that_it_is_not_ready()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0); // connects, and answers nothing ever
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;
        var api = await stage.BeginApiAsync("cut-off", settings:
            [("ConnectionStrings__Postgres", $"Host=127.0.0.1;Port={port};Username=u;Database=d"), ("ConnectionStrings__RabbitMq", $"amqp://u:p@127.0.0.1:{port}/")]);
        await Waiting.UntilAsync(async () => await LivesAsync(api));
        for (var probe = 0; probe < 5; probe++)
        {
            var (code, status, checks, took) = await GetAsync(api, "ready");
            Assert.Equal((503, "unavailable"), (code, status));
            Assert.All(checks.Values, check => Assert.Equal("failed", check.GetProperty("status").GetString()));
            Assert.InRange(took, TimeSpan.Zero, ReadinessTimeout);
            Assert.Equal(200, (await GetAsync(api, "live")).Code);
            Assert.Equal(503, (await GetAsync(api, "startup")).Code);
        }
    }

    [Fact]
    public async Task A_start_leaves_no_job_no_count_and_no_wake_up_behind_and_its_connections_are_open()
    {
        await stage.ForgetJobsAsync();
        var api = await stage.StartApiAsync();
        Assert.Equal("0 0", await stage.ScalarAsync<string>("select concat((select count(*) from jobs), ' ', (select count(*) from queue_counts))"));
        var metrics = await http.GetStringAsync(new Uri(api.Url, "metrics"), TestContext.Current.CancellationToken);
        Assert.DoesNotContain("rehearsal", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain(metrics.Split('\n'), line => line.StartsWith("http_server_request_duration_seconds_count", StringComparison.Ordinal) && line.Contains("/v1/jobs", StringComparison.Ordinal));
        Assert.DoesNotContain("queuescale_refused_total{", metrics, StringComparison.Ordinal);
        Assert.All(metrics.Split('\n').Where(line => line.StartsWith("queuescale_jobs_submitted_total{", StringComparison.Ordinal)), line => Assert.EndsWith(" 0", line, StringComparison.Ordinal));
        Assert.InRange(await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where application_name = 'queuescale-api' and datname = current_database()"), 8, 30);
    }

    private async Task<(int Code, string Status, IReadOnlyDictionary<string, JsonElement> Checks, TimeSpan Took)> GetAsync(HostProcess api, string probe)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var answer = await Answer.OfAsync(await http.GetAsync(new Uri(api.Url, $"health/{probe}")));
        var took = TimeProvider.System.GetElapsedTime(begun);
        var checks = answer.Json.TryGetProperty("checks", out var found) ? found.EnumerateObject().ToDictionary(check => check.Name, check => check.Value.Clone()) : [];
        return (answer.Status, answer.Json.GetProperty("status").GetString()!, checks, took);
    }

    private async Task<bool> LivesAsync(HostProcess api)
    {
        try
        {
            return (await GetAsync(api, "live")).Code == 200;
        }
        catch (HttpRequestException)
        {
            return false; // not listening yet
        }
    }
}
