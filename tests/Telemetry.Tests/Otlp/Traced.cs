using System.Net.Http.Json;

namespace QueueScale.Tests;

/// <summary>An API and workers that send to a collector, and jobs of every fate that a span can tell of.</summary>
public sealed class Traced(Servers servers) : IAsyncLifetime
{
    /// <summary>What the caller of the handed-over job says of its own trace.</summary>
    public const string CallersTrace = "0af7651916cd43dd8448eb211c80319c";
    public const string CallersSpan = "b7ad6b7169203331";
    public const string CallersState = "rojo=00f067aa0ba902b7";

    public Stage Stage { get; } = new(servers);

    public OtlpReceiver Receiver { get; private set; } = null!;

    public HostProcess Api { get; private set; } = null!;

    /// <summary>Saved checkpoints, was handed over by SIGTERM and went on.</summary>
    public Guid HandedOver { get; private set; }

    /// <summary>The worker that began <see cref="HandedOver"/>, and the one that went on.</summary>
    public string First { get; private set; } = "";

    public string Second { get; private set; } = "";

    /// <summary>Killed its worker in its first run.</summary>
    public Guid Crashed { get; private set; }

    /// <summary>Failed once and then succeeded.</summary>
    public Guid Retried { get; private set; }

    /// <summary>Was parked, and sent by the feeder.</summary>
    public Guid Parked { get; private set; }

    /// <summary>Ran into its timeout, in its only attempt.</summary>
    public Guid TimedOut { get; private set; }

    /// <summary>Submitted with one request.</summary>
    public IReadOnlyList<Guid> Batch { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        Receiver = await OtlpReceiver.StartAsync();
        Api = await Stage.StartApiAsync(settings: [.. Receiver.Settings, ("Logging__LogLevel__Microsoft", "Information"), ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")]);
        var client = Stage.Client(Api);
        var workers = new Dictionary<string, HostProcess> { ["w1"] = await StartWorkerAsync("w1"), ["w2"] = await StartWorkerAsync("w2") };
        HandedOver = await SubmitTracedAsync("probe.sleep", new { seconds = 8, steps = 80 });
        await client.WaitForAsync(HandedOver, job => job.CheckpointedAt is not null);
        First = await Stage.ScalarAsync<string>($"select w.name from jobs j join workers w on w.id = j.worker where j.id = '{HandedOver}'");
        Second = workers.Keys.Single(name => name != First);
        workers[First].Process.Signal(Signal.Terminate);
        Assert.Equal(0, await workers[First].Process.WaitForExitAsync());

        Batch = await client.SubmitBatchAsync([.. Enumerable.Range(0, 200).Select(_ => Live.Job("probe.noop"))]);
        Retried = (await client.SubmitAsync(Live.Job("probe.fail", new { times = 1 }))).Id;
        TimedOut = (await client.SubmitAsync(Live.Job("probe.sleep", new { seconds = 60 }) with { Timeout = "PT0.2S", MaxAttempts = 1 })).Id;
        await Task.WhenAll(Batch.Append(HandedOver).Append(Retried).Append(TimedOut).Select(job => client.WaitForEndAsync(job)));
        // The next job kills the worker, and with it what has not been sent.
        await ArrivedAsync([.. Batch, HandedOver, Retried, TimedOut]);
        await Waiting.UntilAsync(() => Task.FromResult(Receiver.Logs.Any(line => line.Text.StartsWith($"Job {HandedOver}", StringComparison.Ordinal) && line.Text.Contains("is Succeeded", StringComparison.Ordinal))));

        Crashed = (await client.SubmitAsync(Live.Job("probe.crash", new { times = 1 }))).Id;
        await workers[Second].Process.WaitForExitAsync();
        await Stage.ExecuteAsync("insert into lanes (queue, lane, fed) values ('default', 0, clock_timestamp()) on conflict (queue, lane) do update set fed = excluded.fed, turn = lanes.turn + 1");
        Parked = (await client.SubmitAsync(Live.Job("probe.noop"))).Id;
        await StartWorkerAsync("w3");
        await Task.WhenAll(client.WaitForEndAsync(Crashed), client.WaitForEndAsync(Parked));
        await ArrivedAsync(Crashed, Parked);
    }

    public async ValueTask DisposeAsync()
    {
        await Stage.DisposeAsync();
        await Receiver.DisposeAsync();
    }

    /// <summary>The spans of all runs.</summary>
    public IEnumerable<Span> Runs => Receiver.Spans.Where(span => span.Source == "QueueScale");

    /// <summary>The spans of a job's runs, the first run first.</summary>
    public IReadOnlyList<Span> RunsOf(Guid job) =>
        [.. Runs.Where(span => span.Attributes["messaging.message.id"] == job.ToString()).OrderBy(span => int.Parse(span.Attributes["queuescale.run.epoch"], null))];

    /// <summary>The span of the request that submitted a job.</summary>
    public Span SubmissionOf(Guid job) => Assert.Single(Receiver.Spans, span => span.Source == "Microsoft.AspNetCore" && span.Id == RunsOf(job)[0].ParentId);

    /// <summary>Waits for the span of each job's last run.</summary>
    private async Task ArrivedAsync(params Guid[] jobs)
    {
        IEnumerable<string> missing = [];
        await Waiting.UntilAsync(
            () => Task.FromResult(!(missing = jobs.Select(job => $"{job}").Except(Runs.Where(run => run.Attributes["queuescale.job.state"] is "succeeded" or "failed").Select(run => run.Attributes["messaging.message.id"]))).Any()),
            () => $"no span of {string.Join(", ", missing)} among {Receiver.Spans.Count}. {Receiver.Complaint}");
    }

    private Task<HostProcess> StartWorkerAsync(string name) =>
        Stage.StartWorkerAsync(name, settings: [.. Receiver.Settings, ("OTEL_SERVICE_NAME", name), ("Logging__LogLevel__QueueScale", "Debug")]);

    private async Task<Guid> SubmitTracedAsync(string type, object input)
    {
        using var http = new HttpClient { BaseAddress = Api.Url };
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs")
        {
            Headers = { { "Authorization", $"Bearer {Stage.Key}" }, { "traceparent", $"00-{CallersTrace}-{CallersSpan}-01" }, { "tracestate", CallersState } },
            Content = JsonContent.Create(Live.Job(type, input), options: JobJson.Options),
        };
        using var answer = await http.SendAsync(request);
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Job>(JobJson.Options))!.Id;
    }
}
