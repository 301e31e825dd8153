using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Local.Tests;

/// <summary><c>up --workers auto</c>: workers come with a burst and go after it, and no job notices.</summary>
public sealed class ScalingTests : IAsyncDisposable
{
    private const int Burst = 5000;
    private const int Slots = 16;
    private const int Most = 4;
    private static readonly TimeSpan TargetAge = TimeSpan.FromSeconds(5);

    /// <summary>Four workers need 16 s for the burst; the rest is the start of three of them on two busy cores.</summary>
    private static readonly TimeSpan AgeBack = TimeSpan.FromSeconds(45);

    private readonly FolderForTest test = new();
    private Process? running;

    public async ValueTask DisposeAsync()
    {
        running?.Kill();
        running?.Dispose();
        await test.DisposeAsync();
    }

    [Theory]
    [InlineData("backlog", Slots, 1)]
    [InlineData("desiredWorkers", 1, 0, Explicit = true)] // a minute more: ./queuescale test --only Local.Tests -- -class "*ScalingTests" -explicit on
    public async Task Workers_come_with_a_burst_and_go_after_it_and_every_job_ends_once(string signal, int target, int least)
    {
        var up = running = Begin(ScaledObjectOf(signal, target, least));
        var line = await up.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
        if (line is null) Assert.Fail(await up.StandardError.ReadToEndAsync());
        var info = JsonElement.Parse(line);
        using var client = new QueueScaleClient(new Uri(info.GetProperty("api").GetString()!), info.GetProperty("key").GetString()!);
        await UntilAsync(async () => Workers() == least && (await client.GetWorkersAsync()).Items.Count == least, "the least workers run");

        if (least == 0) // nobody has told the API of the type yet
        {
            await WithAWorkerAsync(client);
        }

        var burst = Stopwatch.StartNew();
        for (var sent = 0; sent < Burst; sent += 1000)
        {
            await client.SubmitBatchAsync([.. Enumerable.Repeat(new SubmitJob { Type = "probe.sleep", Input = JsonSerializer.SerializeToElement(new { seconds = 0.2, steps = 1 }) }, 1000)]);
        }

        var (most, oldest, full, back) = (0, 0.0, TimeSpan.Zero, TimeSpan.Zero);
        await UntilAsync(async () =>
        {
            var scale = await client.GetScaleAsync("default");
            if (scale.Workers == Most && most < Most) full = burst.Elapsed;
            if (scale.OldestSeconds >= TargetAge.TotalSeconds) back = TimeSpan.Zero;
            else if (back == TimeSpan.Zero && oldest >= TargetAge.TotalSeconds) back = burst.Elapsed;
            (most, oldest) = (Math.Max(most, scale.Workers), Math.Max(oldest, scale.OldestSeconds));
            return scale.Backlog == 0;
        }, "the backlog goes");
        var drained = burst.Elapsed;
        await UntilAsync(() => Task.FromResult(Workers() == least), "the workers go");
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{signal}: {Most} workers after {full.TotalSeconds:0.0} s, oldest {oldest:0.0} s, under {TargetAge.TotalSeconds} s again after {back.TotalSeconds:0.0} s, drained in {drained.TotalSeconds:0.0} s, {least} again after {burst.Elapsed.TotalSeconds:0.0} s"));
        Assert.Equal(Most, most);
        Assert.InRange(back, TimeSpan.FromSeconds(1), AgeBack);

        var (jobs, interruptions) = (0, 0);
        await foreach (var job in client.GetAllJobsAsync())
        {
            Assert.Equal((JobState.Succeeded, 0), (job.State, job.Crashes));
            Assert.Equal(1, job.Attempt);
            (jobs, interruptions) = (jobs + 1, interruptions + job.Interruptions);
        }

        Assert.Equal(Burst + (least == 0 ? 1 : 0), jobs);
        Assert.InRange(interruptions, 0, (Most - least) * Slots); // no more than the runs of those that went

        if (least > 0)
        {
            var one = new LocalSystem(test.Folder).Find()!.Workers[0];
            using (var kill = Process.Start("kill", ["-KILL", one.Pid.ToString(CultureInfo.InvariantCulture)]))
            {
                await kill.WaitForExitAsync();
            }

            await UntilAsync(() => Task.FromResult(Workers() == least && new LocalSystem(test.Folder).Find()!.Workers[0].Pid != one.Pid), "a worker that has ended by itself is started again");
        }

        Assert.Equal(0, await EndAsync(up));
        Assert.Empty(test.Processes());
    }

    /// <summary>A job type is known from the first worker on: a scaled-to-zero group has had one.</summary>
    private async Task WithAWorkerAsync(QueueScaleClient client)
    {
        var system = new LocalSystem(test.Folder);
        var first = new WorkerGroup("first", ["default"]);
        await system.ScaleAsync(first, 1);
        var job = await client.SubmitAsync(new SubmitJob { Type = "probe.noop" });
        await UntilAsync(async () => (await client.GetJobAsync(job.Id)).State == JobState.Succeeded, "the first job ends");
        await system.ScaleAsync(first, 0);
    }

    private int Workers() => new LocalSystem(test.Folder).RunningNames().Count(name => name.StartsWith("worker-", StringComparison.Ordinal));

    private Process Begin(string scaledObject)
    {
        var file = Path.Combine(test.Folder.FullPath, "scaled-object.yaml");
        File.WriteAllText(file, scaledObject);
        var info = new CommandLineProgram(test.Folder).Start(Dotnet.Host, Checkout.ProgramOf("QueueScale.Cli"), "up", "--workers", "auto", "--scaled-object", file, "--json");
        info.Environment["Worker__Slots"] = Slots.ToString(CultureInfo.InvariantCulture);
        info.Environment["Api__TargetDrainTime"] = "00:00:10";
        return Process.Start(info)!;
    }

    private static async Task<int> EndAsync(Process process)
    {
        using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        return process.ExitCode;
    }

    /// <summary>As those of k8s/components/autoscaling, with windows of seconds instead of minutes.</summary>
    private static string ScaledObjectOf(string signal, int target, int least) => $$"""
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata: {name: queuescale-worker-default}
        spec:
          scaleTargetRef: {name: queuescale-worker-default}
          pollingInterval: 1
          cooldownPeriod: 4
          minReplicaCount: {{least}}
          maxReplicaCount: {{Most}}
          advanced:
            horizontalPodAutoscalerConfig:
              behavior:
                scaleDown: {stabilizationWindowSeconds: 3, policies: [{type: Pods, value: 1, periodSeconds: 1}]}
          triggers:
            - type: metrics-api
              metadata: {url: "http://queuescale-api:8080/v1/queues/default/scale", valueLocation: {{signal}}, targetValue: "{{target}}"}
        """;

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(100))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), $"Not within 2 minutes: {what}");
        }
    }
}
