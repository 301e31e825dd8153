using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>An API and three workers, of which one is left in the end, on which everything has happened once that has a metric. The workers serve the queue "default" and leave "bulk" alone.</summary>
public sealed class Live(Servers servers) : IAsyncLifetime
{
    public Stage Stage { get; } = new(servers);

    public HostProcess Api { get; private set; } = null!;

    public HostProcess Worker { get; private set; } = null!;

    public QueueScaleClient Client { get; private set; } = null!;

    /// <summary>It has watched from before the first job on.</summary>
    public Prometheus Prometheus { get; private set; } = null!;

    /// <summary>What the workers that left answered while they drained.</summary>
    public List<Scrape> Drained { get; } = [];

    public static SubmitJob Job(string type, object? input = null) => new() { Type = type, Input = input is null ? null : JsonSerializer.SerializeToElement(input, JobJson.Options) };

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        Api = await Stage.StartApiAsync(settings: ("ConnectionStrings__Redis", Stage.Redis));
        Client = Stage.Client(Api);
        Worker = await Stage.StartWorkerAsync("w1", settings: ("Worker__Queues__0", "default"));
        var second = await Stage.StartWorkerAsync("w2", settings: ("Worker__Queues__0", "default"));
        var third = await Stage.StartWorkerAsync("w3", settings: ("Worker__Queues__0", "default"));
        Prometheus = await Prometheus.StartAsync(Stage.Folder, ("api", [Api]), ("worker", [Worker, second, third]));

        await HandOverAsync(second);
        await HandOverAsync(third); // a histogram's rate sees only what comes after its first time
        var lost = StoreWithoutWakeUpAsync();
        await Client.SubmitBatchAsync([.. Enumerable.Range(0, 500).Select(_ => Job("probe.noop"))]);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ => await Client.WaitForEndAsync((await Client.SubmitAsync(Job("probe.noop"))).Id)));
        await Client.WaitForEndAsync((await Client.SubmitAsync(Job("probe.fail", new { times = 5 }) with { MaxAttempts = 2 })).Id);
        await Client.CancelAsync((await Client.SubmitAsync(Job("probe.noop") with { Delay = "PT1H" })).Id);
        await Assert.ThrowsAsync<QueueScaleException>(() => Client.SubmitAsync(Job("no.such.type")));
        await Client.WaitForEndAsync(await lost);
    }

    public async ValueTask DisposeAsync()
    {
        await (Prometheus?.StopAsync() ?? Task.CompletedTask);
        await Stage.DisposeAsync();
    }

    /// <summary>Some runs save at short steps and are handed over at once; some do not, so that the drain lasts.</summary>
    private async Task HandOverAsync(HostProcess leaving)
    {
        var jobs = await Client.SubmitBatchAsync([.. Enumerable.Range(0, 40).Select(n => Job("probe.sleep", new { seconds = 4, steps = n % 2 == 0 ? 80 : 2 }))]);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(leaving)).Sum("queuescale_worker_busy") > 2 && (await Scrape.OfAsync(leaving)).Sum("queuescale_checkpoints_total") > 0);
        leaving.Process.Signal(Signal.Terminate);
        Scrape draining = null!;
        await Waiting.UntilAsync(async () => (draining = await Scrape.OfAsync(leaving)).Value("queuescale_drain_seconds") is not null);
        Drained.Add(draining);
        Assert.Equal(0, await leaving.Process.WaitForExitAsync());
        await Task.WhenAll(jobs.Select(job => Client.WaitForEndAsync(job)));
    }

    private async Task<Guid> StoreWithoutWakeUpAsync()
    {
        var id = Guid.CreateVersion7();
        await Stage.ExecuteAsync($"insert into jobs (id, tenant, type, queue, state, max_attempts, input) values ('{id}', 1, 'probe.noop', 'default', 1, 3, '{"{}"}')");
        return id;
    }
}
