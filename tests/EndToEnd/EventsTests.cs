namespace QueueScale.Tests;

public sealed class EventsTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Fact]
    public async Task Who_follows_a_job_through_an_API_that_goes_is_sent_to_another_one_at_once()
    {
        var first = await stage.StartApiAsync("api1", settings: ("Api__DrainDelay", "00:00:01"));
        var client = stage.Client(first);
        await stage.StartWorkerAsync("w1");
        var job = (await client.SubmitAsync(Programs.Sleep(6, 60))).Id;
        var waiting = client.SubmitAndWaitAsync(Programs.Sleep(30, 300), TimeSpan.FromSeconds(30));
        var goodbyes = Enumerable.Range(0, 50).Select(_ => LinesAsync(first, job)).ToArray();
        await Task.Delay(1000, TestContext.Current.CancellationToken);
        first.Process.Signal(Signal.Terminate);
        var asked = TimeProvider.System.GetTimestamp();
        foreach (var lines in await Task.WhenAll(goodbyes))
        {
            Assert.Contains("event: checkpoint", lines);
            Assert.Equal(["retry: 500", ": this instance ends, ask again"], lines.TakeLast(2));
        }

        Assert.Equal(JobState.Running, (await waiting).State);
        Assert.Equal(0, await first.Process.WaitForExitAsync());
        Assert.InRange(TimeProvider.System.GetElapsedTime(asked).TotalSeconds, 1, 4);
    }

    [Fact]
    public async Task While_PostgreSQL_is_frozen_a_stream_stays_and_tells_of_the_end_afterwards()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("w1");
        var job = (await client.SubmitAsync(Programs.Sleep(2, 20))).Id;
        var last = LastAsync(client, job);
        await Task.Delay(500, TestContext.Current.CancellationToken);
        var postgres = stage.Servers.All.Postgres.Process!;
        postgres.SignalAll(Signal.Stop);
        await Task.Delay(3000, TestContext.Current.CancellationToken);
        postgres.SignalAll(Signal.Continue);
        Assert.Equal(JobState.Succeeded, (await last.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)).State);
    }

    private static async Task<Job> LastAsync(QueueScaleClient client, Guid id)
    {
        Job? last = null;
        await foreach (var job in client.WatchAsync(id))
        {
            last = job;
        }

        return last!;
    }

    private static async Task<IReadOnlyList<string>> LinesAsync(HostProcess api, Guid job)
    {
        using var http = new HttpClient { BaseAddress = api.Url, DefaultRequestHeaders = { { "Authorization", $"Bearer {Stage.Key}" } } };
        using var lines = new StreamReader(await http.GetStreamAsync(new Uri($"v1/jobs/{job}/events", UriKind.Relative)));
        var read = new List<string>();
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.Length > 0)
            {
                read.Add(line);
            }
        }

        return read;
    }
}
