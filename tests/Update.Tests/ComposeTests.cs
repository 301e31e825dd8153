using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace QueueScale.Tests;

/// <summary>docker-compose.yml for real, as deploy-on-one-machine.md says, under a project name and ports of its own. Skipped where no Docker engine answers.</summary>
public sealed class ComposeTests : IAsyncLifetime
{
    private const string Key = "qs_trial-key-for-loopback-only"; // of .env.example

    private readonly Dictionary<string, string?> settings;
    private readonly string tls = Directory.CreateTempSubdirectory().FullName;
    private readonly int http;
    private readonly int https;
    private readonly int prometheus;
    private bool isUp;

    public ComposeTests()
    {
        int[] ports = [.. Enumerable.Range(0, 7).Aggregate(new List<int>(), (taken, _) => [.. taken, FreePort.Choose(taken)])];
        (http, https) = (ports[0], ports[1]);
        settings = new()
        {
            ["COMPOSE_PROJECT_NAME"] = "queuescale-test",
            ["COMPOSE_ENV_FILES"] = Path.Combine(Checkout.Root, ".env.example"),
            ["QUEUESCALE_VERSION"] = "test",
            ["QUEUESCALE_HTTP_PORT"] = Text(http),
            ["QUEUESCALE_HTTPS"] = $"127.0.0.1:{https}",
            ["QUEUESCALE_TLS"] = tls,
            ["POSTGRES_PORT"] = Text(ports[2]),
            ["RABBITMQ_PAGE_PORT"] = Text(ports[3]),
            ["RABBITMQ_PORT"] = Text(ports[4]),
            ["REDIS_PORT"] = Text(ports[5]),
            ["PROMETHEUS_PORT"] = Text(prometheus = ports[6]),
            ["PROXY_SUBNET"] = "172.30.58.0/24",
            ["BACKUP_EVERY_SECONDS"] = "3600",
        };
    }

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless((await EndAsync("docker", "compose", "version")).Code == 0 && (await EndAsync("docker", "info")).Code == 0, "No Docker engine answers, so docker-compose.yml is not tried.");
    }

    public async ValueTask DisposeAsync()
    {
        if (isUp)
        {
            await ComposeAsync("--profile", "backup", "--profile", "observability", "down", "--volumes", "--timeout", "1");
        }

        Directory.Delete(tls, recursive: true);
    }

    [Fact]
    public async Task It_comes_up_scales_is_updated_under_load_and_is_restored_from_its_dump()
    {
        await RunAsync("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", $"{tls}/tls.key", "-out", $"{tls}/tls.crt");
        isUp = true;
        await ComposeAsync("up", "-d", "--build", "--wait");

        var url = new Uri($"http://127.0.0.1:{http}/");
        using var client = new QueueScaleClient(url, Key);
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync((await client.SubmitAsync(Job("probe.noop", "{}"))).Id)).State);

        using (var any = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }))
        {
            await ProxyProblem.MustComeAsync(any, $"{url}metrics", 404, "not-found");
            await ProxyProblem.MustComeAsync(any, $"{url}health/ready", 404, "not-found");
            await ProxyProblem.MustComeAsync(any, $"{url}v1/jobs", 413, "too-large", body: (17 * 1024 * 1024) + 1);
            Assert.Equal(HttpStatusCode.Unauthorized, (await any.GetAsync(new Uri($"https://127.0.0.1:{https}/v1/jobs"))).StatusCode);
        }

        await ComposeAsync("up", "-d", "--no-recreate", "--wait", "--scale", "worker=3", "--scale", "api=2");
        Assert.Equal(3, (await client.GetWorkersAsync()).Items.Count);

        var longJobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 10).Select(_ => Job("probe.sleep", """{"seconds": 60, "steps": 600}"""))]);
        await Waiting.UntilAsync(async () => (await client.GetScaleAsync("default")).Running >= 10);
        var before = await ContainersAsync();
        await using (var caller = new Caller(url, 100, Key))
        {
            // A version that does not start changes nothing.
            settings["QUEUESCALE_API_KEY"] = "no key";
            var (code, said) = await UpdateAsync();
            Assert.Equal(1, code);
            Assert.Contains("Auth:BootstrapKey", said, StringComparison.Ordinal);
            Assert.Equal(before, await ContainersAsync());

            settings.Remove("QUEUESCALE_API_KEY");
            (code, said) = await UpdateAsync();
            Assert.True(code == 0, said);
            var after = await ContainersAsync();
            Assert.Equal(before.Count, after.Count);
            Assert.Empty(before.Intersect(after));
            await caller.StopAsync();
            Assert.True(caller.Failures.Count == 0, string.Join('\n', [.. caller.Failures.Select(failure => $"{failure.Began:HH:mm:ss.fff} to {failure.Ended:HH:mm:ss.fff} {failure.What}"), "What nginx says:", .. await ComplaintsOfNginxAsync()]));
        }

        foreach (var job in longJobs)
        {
            var end = await client.WaitForEndAsync(job, TimeSpan.FromMinutes(2));
            Assert.Equal((JobState.Succeeded, 0), (end.State, end.Crashes));
        }

        await ComposeAsync("--profile", "observability", "up", "-d", "--wait", "--no-deps", "prometheus");
        using (var asking = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{prometheus}/") })
        {
            // Two APIs, three workers, and RabbitMQ twice.
            await Waiting.UntilAsync(async () => await ValueAsync(asking, "count(up == 1)") >= 7, patience: TimeSpan.FromMinutes(1));
            Assert.Equal(0, await ValueAsync(asking, "count(up == 0) or vector(0)"));
            await Waiting.UntilAsync(async () => await ValueAsync(asking, "max(queuescale_queue_running{queue=\"default\"})") == 0);
        }

        // As back-up-and-restore.md says. The first dump is made when the service starts.
        await ComposeAsync("--profile", "backup", "up", "-d", "--wait", "--no-recreate", "backup");
        var dump = (await RunAsync("docker", "compose", "exec", "-T", "backup", "sh", "-c", "ls /backups/*.dump")).Trim();
        await ComposeAsync("stop", "nginx", "api", "worker");
        await ComposeAsync("exec", "-T", "postgres", "dropdb", "--force", "-U", "queuescale", "queuescale");
        await ComposeAsync("exec", "-T", "postgres", "createdb", "-U", "queuescale", "queuescale");
        await ComposeAsync("--profile", "backup", "run", "--rm", "--entrypoint", "", "backup", "sh", "/backup/restore.sh", dump);
        await ComposeAsync("up", "-d", "--wait", "--no-recreate", "--scale", "worker=3");
        Assert.Equal(JobState.Succeeded, (await client.GetJobAsync(longJobs[0])).State);
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync((await client.SubmitAsync(Job("probe.noop", "{}"))).Id)).State);
    }

    [Fact]
    public async Task Up_with_services_in_containers_runs_API_and_workers_as_processes()
    {
        var others = await RunAsync("docker", "ps", "--all", "--quiet");
        settings["QUEUESCALE_RUN"] = Path.Combine(tls, "run");
        var (code, said) = await CliAsync("up", "--services", "docker", "--detach", "--json", "--workers", "1");
        Assert.True(code == 0, said);
        var info = System.Text.Json.JsonElement.Parse(said);
        using var client = new QueueScaleClient(new Uri(info.GetProperty("api").GetString()!), info.GetProperty("key").GetString()!);
        var job = (await client.SubmitAsync(Job("probe.noop", "{}"))).Id;
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job)).State);
        (code, said) = await CliAsync("up", "--services", "local", "--detach");
        Assert.Equal(1, code);
        Assert.Contains("down --wipe", said, StringComparison.Ordinal);

        Assert.Equal(0, (await CliAsync("down")).Code);
        (code, said) = await CliAsync("up", "--detach", "--json"); // it remembers where
        Assert.True(code == 0, said);
        Assert.Equal(JobState.Succeeded, (await client.GetJobAsync(job)).State);
        Assert.Equal(0, (await CliAsync("down", "--wipe")).Code);
        Assert.False(Directory.Exists(settings["QUEUESCALE_RUN"]));
        Assert.Equal(others, await RunAsync("docker", "ps", "--all", "--quiet"));
    }

    private static SubmitJob Job(string type, string input) => new() { Type = type, Input = System.Text.Json.JsonElement.Parse(input) };

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private async Task<IReadOnlyList<string>> ContainersAsync() => [.. (await ComposeAsync("ps", "--quiet", "api", "worker")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];

    private async Task<IEnumerable<string>> ComplaintsOfNginxAsync() =>
        (await ComposeAsync("logs", "--no-log-prefix", "--timestamps", "nginx")).Split('\n').Where(line => !line.Contains("\" 20", StringComparison.Ordinal)).TakeLast(60);

    private static async Task<double?> ValueAsync(HttpClient prometheus, string query)
    {
        var answer = System.Text.Json.JsonElement.Parse(await prometheus.GetStringAsync(new Uri($"api/v1/query?query={Uri.EscapeDataString(query)}", UriKind.Relative)));
        return answer.GetProperty("data").GetProperty("result").EnumerateArray().Select(one => double.Parse(one.GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture)).Cast<double?>().SingleOrDefault();
    }

    /// <summary>The images are there: a build beside the load would measure the machine.</summary>
    private Task<(int Code, string Said)> UpdateAsync() => CliAsync("update", "--no-build");

    private Task<(int Code, string Said)> CliAsync(params string[] arguments) => EndAsync([Dotnet.Host, Checkout.ProgramOf("QueueScale.Cli"), .. arguments]);

    private Task<string> ComposeAsync(params string[] arguments) => RunAsync(["docker", "compose", .. arguments]);

    private async Task<string> RunAsync(params string[] line)
    {
        var (code, said) = await EndAsync(line);
        Assert.True(code == 0, $"{string.Join(' ', line)}: {said}");
        return said;
    }

    private async Task<(int Code, string Said)> EndAsync(params string[] line)
    {
        var start = new ProcessStartInfo(line[0], line[1..]) { WorkingDirectory = Checkout.Root, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["QUEUESCALE_ROOT"] = Checkout.Root;
        foreach (var (key, value) in settings)
        {
            start.Environment[key] = value;
        }

        try
        {
            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            return (process.ExitCode, process.ExitCode == 0 ? await output : await output + await error);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return (127, $"{line[0]} is not installed");
        }
    }
}
