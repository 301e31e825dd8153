namespace QueueScale.Tests;

public sealed class GrpcTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task All_three_signals_arrive_by_the_protocol_that_is_taken_where_none_is_named()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        var api = await stage.StartApiAsync(settings: receiver.GrpcSettings);
        await stage.StartWorkerAsync("w", settings: receiver.GrpcSettings);
        var client = stage.Client(api);
        await client.WaitForEndAsync((await client.SubmitAsync(Live.Job("probe.noop"))).Id);
        await Waiting.UntilAsync(() => Task.FromResult(
            receiver.Spans.Any(span => span.Name == "process default") && receiver.Spans.Any(span => span.Name == "POST /v1/jobs")
            && receiver.Logs.Count > 0 && receiver.Metrics.Contains(("queuescale-api", "queuescale.jobs.submitted"))), () => receiver.Complaint ?? "");
        Assert.Null(receiver.Complaint);
    }
}
