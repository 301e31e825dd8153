using System.Net.ServerSentEvents;

namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class EventStreamTests(RunningApi api)
{
    [Fact]
    public async Task It_begins_with_the_job_as_it_is_tells_each_change_soon_and_ends_with_the_job()
    {
        var id = await api.AcceptedAsync("\"input\": {\"secret\": 1}");
        await using var events = EventsAsync(id).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        await MustTellAsync("state", "queued");
        await api.LetRunAsync(id);
        await MustTellAsync("state", "running");
        await ChangeAsync("progress = '{\"done\": 3}'");
        Assert.Equal(3, (await MustTellAsync("progress", "running")).GetProperty("progress").GetProperty("done").GetInt32());
        await ChangeAsync("checkpoint_seq = 1, checkpointed_at = clock_timestamp()");
        await MustTellAsync("checkpoint", "running");
        await ChangeAsync("state = 5, result = '\"done\"', finished_at = clock_timestamp()");
        Assert.Equal("done", (await MustTellAsync("state", "succeeded")).GetProperty("result").GetString());
        Assert.False(await events.MoveNextAsync());

        async Task ChangeAsync(string what) => await api.Stage.ExecuteAsync($"update jobs set {what} where id = '{id}'");

        async Task<JsonElement> MustTellAsync(string kind, string state)
        {
            var begun = TimeProvider.System.GetTimestamp();
            Assert.True(await events.MoveNextAsync());
            Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalMilliseconds, 0, 1000);
            var told = JsonElement.Parse(events.Current.Data);
            Assert.Equal((kind, state, false), (events.Current.EventType, told.GetProperty("state").GetString(), told.TryGetProperty("input", out _)));
            Assert.NotEmpty(events.Current.EventId!);
            return told;
        }
    }

    [Fact]
    public async Task Everybody_hears_of_the_end_and_no_state_goes_back()
    {
        var id = await api.AcceptedAsync();
        var callers = Enumerable.Range(0, 200).Select(async _ =>
        {
            var states = new List<string>();
            await foreach (var told in EventsAsync(id))
            {
                states.Add(JsonElement.Parse(told.Data).GetProperty("state").GetString()!);
            }

            return states;
        }).ToArray();
        await Task.Delay(200, TestContext.Current.CancellationToken); // some begin before a change, some while it comes, some after it
        await api.LetRunAsync(id);
        await Task.Delay(200, TestContext.Current.CancellationToken);
        await api.Stage.ExecuteAsync($"update jobs set state = 6, finished_at = clock_timestamp() where id = '{id}'");
        foreach (var states in await Task.WhenAll(callers))
        {
            Assert.Equal("failed", states[^1]);
            Assert.Equal(states.OrderBy(state => Array.IndexOf(["queued", "running", "failed"], state)), states);
        }
    }

    [Fact]
    public async Task A_job_that_is_final_is_told_once()
    {
        var id = await api.AcceptedAsync();
        await api.Stage.ExecuteAsync($"update jobs set state = 7, finished_at = clock_timestamp() where id = '{id}'");
        var told = new List<string>();
        await foreach (var one in EventsAsync(id))
        {
            told.Add(one.EventType);
        }

        Assert.Equal(["state"], told);
    }

    [Fact]
    public async Task Of_a_job_that_is_not_there_nothing_is_told() => (await api.GetAsync($"v1/jobs/{Guid.NewGuid()}/events")).MustRefuse(404);

    [Fact]
    public async Task A_silent_stream_says_now_and_then_that_it_lives_and_may_not_be_kept()
    {
        using var client = api.NewClient();
        using var answer = await client.GetAsync(new Uri($"v1/jobs/{await api.AcceptedAsync()}/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal(("text/event-stream", "no-store", "no"), ($"{answer.Content.Headers.ContentType}", $"{answer.Headers.CacheControl}", answer.Headers.GetValues("X-Accel-Buffering").Single()));
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        var begun = TimeProvider.System.GetTimestamp();
        while (await lines.ReadLineAsync(TestContext.Current.CancellationToken) != ": nothing new")
        {
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 14, 20);
    }

    private async IAsyncEnumerable<SseItem<string>> EventsAsync(Guid id)
    {
        using var client = api.NewClient();
        await using var body = await client.GetStreamAsync(new Uri($"v1/jobs/{id}/events", UriKind.Relative), TestContext.Current.CancellationToken);
        await foreach (var told in SseParser.Create(body).EnumerateAsync(TestContext.Current.CancellationToken))
        {
            yield return told;
        }
    }
}
