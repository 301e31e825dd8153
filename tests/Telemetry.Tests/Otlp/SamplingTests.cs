namespace QueueScale.Tests;

/// <summary>The API decides whether a job is traced, and its workers follow.</summary>
public sealed class SamplingTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task A_trace_is_whole_or_not_there()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var api = await stage.StartApiAsync(settings: [.. receiver.Settings, ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")]);
        await stage.StartWorkerAsync("w", settings: receiver.Settings);
        var client = stage.Client(api);
        var left = await client.WaitForEndAsync((await client.SubmitAsync(Live.Job("probe.noop"))).Id);

        using var http = new HttpClient { BaseAddress = api.Url, DefaultRequestHeaders = { { "Authorization", $"Bearer {Stage.Key}" }, { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } } };
        using var body = new StringContent("""{"type": "probe.noop"}""", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
        using var answer = await http.PostAsync(new Uri("v1/jobs", UriKind.Relative), body, TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(() => Task.FromResult(receiver.Spans.Any(span => span.Source == "QueueScale"))); // that one's caller has asked for it
        Assert.All(receiver.Spans, span => Assert.Equal("0af7651916cd43dd8448eb211c80319c", span.TraceId));
        Assert.EndsWith("-00", await stage.ScalarAsync<string>($"select trace from jobs where id = '{left.Id}'"), StringComparison.Ordinal);
        await stage.StopAllAsync();
    }
}
