using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace QueueScale.Tests;

/// <summary>A collector that is away or stands still costs neither a job nor a request, and keeps no process from its end.</summary>
public sealed class CollectorOutageTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private const int Jobs = 3000; // more spans and lines than the exporters' queues hold

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);

    public async ValueTask DisposeAsync()
    {
        listener.Dispose();
        await stage.StopAllAsync();
    }

    [Theory]
    [InlineData("away", "grpc")]
    [InlineData("still", "grpc")]
    [InlineData("still", "http/protobuf")]
    public async Task A_collector_that_does_not_answer_delays_nothing(string collector, string protocol)
    {
        listener.Start(); // takes connections, and never answers
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        if (collector == "away")
        {
            listener.Stop();
        }

        (string, string?)[] settings =
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")), ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50"), ("OTEL_METRIC_EXPORT_INTERVAL", "200"), ("Logging__LogLevel__QueueScale", "Debug"),
        ];
        var api = await stage.StartApiAsync(settings: settings);
        var worker = await stage.StartWorkerAsync("w", settings: settings);
        var client = stage.Client(api);
        await Task.WhenAll((await client.SubmitBatchAsync([.. Enumerable.Range(0, Jobs).Select(_ => Live.Job("probe.noop"))])).TakeLast(1).Select(job => client.WaitForEndAsync(job)));
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state < 5") == 0);
        for (var n = 0; n < 20; n++)
        {
            var clock = Stopwatch.StartNew();
            await client.WaitForEndAsync((await client.SubmitAsync(Live.Job("probe.noop"))).Id);
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 2);
        }

        foreach (var process in new[] { worker, api })
        {
            var clock = Stopwatch.StartNew();
            process.Process.Signal(Signal.Terminate);
            Assert.Equal(0, await process.Process.WaitForExitAsync(TestContext.Current.CancellationToken));
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 8); // its own end and a farewell of 2 s; one request that is not answered lasts 10 s
        }
    }

    [Fact]
    public async Task Without_an_endpoint_no_span_is_made_and_the_callers_trace_is_kept_for_whoever_traces()
    {
        var api = await stage.StartApiAsync();
        await stage.StartWorkerAsync("w");
        var client = stage.Client(api);
        var plain = await client.SubmitAsync(Live.Job("probe.fail", new { times = 1 }));
        using var http = new HttpClient { BaseAddress = api.Url, DefaultRequestHeaders = { { "Authorization", $"Bearer {Stage.Key}" }, { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } } };
        using var body = new StringContent("""{"type": "probe.noop"}""", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        using var answer = await http.PostAsync(new Uri("v1/jobs", UriKind.Relative), body, TestContext.Current.CancellationToken);
        await client.WaitForEndAsync(plain.Id);
        Assert.Equal(0, await stage.ScalarAsync<long>($"select count(*) from jobs where id = '{plain.Id}' and trace is not null"));
        Assert.Equal((1, 0), (await stage.ScalarAsync<long>($"select count(*) from runs where job = '{plain.Id}'"), await stage.ScalarAsync<long>("select count(span) from runs")));
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from jobs where trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'"));
        Assert.DoesNotContain("\"TraceId\"", await File.ReadAllTextAsync(stage.LogOf("w"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }
}
