namespace QueueScale.Tests;

/// <summary>Reading, pausing and resuming a queue. Its jobs wait for a worker that never comes.</summary>
[Collection(OneApi.Name)]
public sealed class QueueTests(RunningApi api)
{
    private readonly string queue = Servers.NewName();

    [Fact]
    public async Task A_queue_that_nobody_has_used_answers_zeros()
    {
        Assert.StartsWith($$"""{"name":"{{queue}}","paused":false,"ready":0,"running":0,"waiting":0,"oldestSeconds":0,"drainSeconds":0,""", (await api.GetAsync($"v1/queues/{queue}")).Body, StringComparison.Ordinal);
        Assert.Equal("0", (await api.GetAsync($"v1/queues/{queue}")).Json.GetProperty("workers").GetRawText());
    }

    [Theory]
    [InlineData("Bad")]
    [InlineData("a%2Fb")]
    public async Task What_cannot_be_a_queue_is_404(string name)
    {
        (await api.GetAsync($"v1/queues/{name}")).MustRefuse(404);
        (await api.PostAsync($"v1/queues/{name}/pause", [])).MustRefuse(404);
        (await api.PostAsync($"v1/queues/{name}/resume", [])).MustRefuse(404);
    }

    [Fact]
    public async Task A_paused_queue_takes_jobs_says_so_everywhere_and_wants_no_worker_for_them()
    {
        foreach (var _ in Enumerable.Range(0, 2)) // once more changes nothing
        {
            var paused = await api.PostAsync($"v1/queues/{queue}/pause", []);
            Assert.Equal((200, true, 0), (paused.Status, IsPaused(paused.Json), paused.Json.GetProperty("ready").GetInt32()));
        }

        Assert.True(IsPaused(await ListedAsync()));
        var job = await api.AcceptedAsync($"\"queue\": \"{queue}\"");
        var explained = (await api.GetAsync($"v1/jobs/{job}/explain")).Json;
        Assert.Equal("paused", explained.GetProperty("reason").GetString());
        Assert.Contains($"/v1/queues/{queue}/resume", explained.GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.Equal((1, 0), await ScaleAsync());

        foreach (var _ in Enumerable.Range(0, 2))
        {
            var resumed = await api.PostAsync($"v1/queues/{queue}/resume", []);
            Assert.Equal((200, false, 1), (resumed.Status, IsPaused(resumed.Json), resumed.Json.GetProperty("ready").GetInt32()));
        }

        Assert.False(IsPaused(await ListedAsync()));
        Assert.Equal("noWorker", (await api.GetAsync($"v1/jobs/{job}/explain")).Text("reason"));
        Assert.Equal((1, 1), await ScaleAsync());
    }

    private static bool IsPaused(JsonElement of) => of.GetProperty("paused").GetBoolean();

    private async Task<JsonElement> ListedAsync() => Assert.Single((await api.GetAsync("v1/queues")).Json.GetProperty("items").EnumerateArray(), of => of.GetProperty("name").GetString() == queue);

    private async Task<(int Ready, int Desired)> ScaleAsync()
    {
        var scale = (await api.GetAsync($"v1/queues/{queue}/scale")).Json;
        return (scale.GetProperty("ready").GetInt32(), scale.GetProperty("desiredWorkers").GetInt32());
    }
}
