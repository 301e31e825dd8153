namespace QueueScale.Tests;

public sealed class WaitTests(Stage stage) : IClassFixture<Stage>
{
    private const int MostRounds = 5;

    [Fact]
    public async Task A_job_that_was_put_back_for_want_of_a_slot_has_waited_until_its_handler_is_called()
    {
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("small", settings: [("Worker__Queues__0", "small"), ("Worker__Slots", "2")]);
        var quick = Live.Job("probe.noop") with { Queue = "small" };
        var slow = Live.Job("probe.sleep", new { seconds = 3, steps = 1 }) with { Queue = "small" };
        Scrape scrape;
        var rounds = 0;
        do // a worker that finds the quick ones quick claims ahead, and the slow ones prove it wrong
        {
            await EndAsync(Enumerable.Repeat(quick, 300));
            await EndAsync([slow, slow, .. Enumerable.Repeat(quick, 20)]);
            scrape = await Scrape.OfAsync(worker);
            rounds++;
        }
        while (scrape.Value("queuescale_resumes_total", ("reason", "put_back")) is 0 && rounds < MostRounds);

        Assert.InRange(scrape.Value("queuescale_resumes_total", ("reason", "put_back"))!.Value, 1, 1000);
        Assert.Equal(0, scrape.Value("queuescale_resumes_total", ("reason", "drain")));
        Assert.Equal(322 * rounds, scrape.Value("queuescale_job_wait_seconds_count", ("queue", "small")));
        Assert.True(scrape.Value("queuescale_job_wait_seconds_sum", ("queue", "small")) > 20 * rounds, "20 jobs have waited for 3 seconds each time, some a little less");

        async Task EndAsync(IEnumerable<SubmitJob> jobs) => await Task.WhenAll((await client.SubmitBatchAsync([.. jobs])).Select(job => client.WaitForEndAsync(job)));
    }
}
