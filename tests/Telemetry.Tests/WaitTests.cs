namespace QueueScale.Tests;

public sealed class WaitTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task A_job_that_was_put_back_for_want_of_a_slot_has_waited_until_its_handler_is_called()
    {
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("small", settings: [("Worker__Queues__0", "small"), ("Worker__Slots", "2")]);
        var quick = Live.Job("probe.noop") with { Queue = "small" };
        await Task.WhenAll((await client.SubmitBatchAsync([.. Enumerable.Repeat(quick, 300)])).Select(job => client.WaitForEndAsync(job)));
        var slow = Live.Job("probe.sleep", new { seconds = 3, steps = 1 }) with { Queue = "small" };
        await Task.WhenAll((await client.SubmitBatchAsync([slow, slow, .. Enumerable.Repeat(quick, 20)])).Select(job => client.WaitForEndAsync(job)));
        var scrape = await Scrape.OfAsync(worker);
        Assert.InRange(scrape.Value("queuescale_resumes_total", ("reason", "put_back"))!.Value, 1, 1000);
        Assert.Equal(0, scrape.Value("queuescale_resumes_total", ("reason", "drain")));
        Assert.Equal(322, scrape.Value("queuescale_job_wait_seconds_count", ("queue", "small")));
        Assert.True(scrape.Value("queuescale_job_wait_seconds_sum", ("queue", "small")) > 20, "20 jobs have waited for 3 seconds each, some a little less");
    }
}
