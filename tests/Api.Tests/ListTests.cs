namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class ListTests(RunningApi api)
{
    [Fact]
    public async Task Each_filter_narrows_alone_and_together_with_others()
    {
        var queue = Servers.NewName();
        var plain = await api.AcceptedAsync($"\"queue\": \"{queue}\"");
        var tagged = await api.AcceptedAsync($"\"queue\": \"{queue}\", \"tags\": [\"red\", \"a&b=c\"]");
        var waiting = await api.AcceptedAsync($"\"queue\": \"{queue}\", \"delay\": \"PT1H\", \"tags\": [\"red\"]");
        var strict = (await api.SubmitAsync($$"""{"type": "test.strict", "input": {"name": "ok"}, "queue": "{{queue}}"}""")).JobId;
        var middle = await api.Stage.ScalarAsync<DateTime>("select created_at from jobs where id = $1", tagged);

        Assert.Equal([strict, waiting, tagged, plain], await IdsAsync($"queue={queue}"));
        Assert.Equal([waiting], await IdsAsync($"queue={queue}&state=scheduled"));
        Assert.Equal([strict, tagged, plain], await IdsAsync($"queue={queue}&state=queued"));
        Assert.Equal([strict], await IdsAsync($"queue={queue}&type=test.strict"));
        Assert.Equal([waiting, tagged], await IdsAsync($"queue={queue}&tag=red"));
        Assert.Equal([tagged], await IdsAsync($"queue={queue}&tag={Uri.EscapeDataString("a&b=c")}"));
        Assert.Equal([tagged], await IdsAsync($"queue={queue}&tag=red&state=queued&type=test.any"));
        Assert.Equal([strict, waiting], await IdsAsync($"queue={queue}&createdAfter={Text(middle)}"));
        Assert.Equal([plain], await IdsAsync($"queue={queue}&createdBefore={Text(middle)}"));
        Assert.Equal([tagged], await IdsAsync($"queue={queue}&createdAfter={Text(middle.AddMicroseconds(-1))}&createdBefore={Text(middle.AddMicroseconds(1))}"));
        Assert.Equal([tagged, plain], await IdsAsync($"queue={queue}&after={waiting}"));
        Assert.Equal([strict, waiting], await IdsAsync($"queue={queue}&limit=2"));
        Assert.Empty(await IdsAsync($"queue={queue}&state=failed"));
        Assert.Empty(await IdsAsync($"queue={queue}&type=no.such"));
        Assert.Empty(await IdsAsync("queue=never-used"));
    }

    [Fact]
    public async Task Only_the_members_that_are_asked_for_are_answered()
    {
        var queue = Servers.NewName();
        var id = await api.AcceptedAsync($"\"queue\": \"{queue}\", \"input\": {{\"n\": 1}}");
        Assert.Equal($$"""{"id":"{{id}}","state":"queued"}""", (await api.GetAsync($"v1/jobs/{id}?fields=state,id")).Body);
        Assert.Equal($$"""{"items":[{"id":"{{id}}"}]}""", (await api.GetAsync($"v1/jobs?queue={queue}&fields=id")).Body);
        (await api.GetAsync($"v1/jobs/{id}?fields=id,secret")).MustRefuse(400, "fields");
        (await api.GetAsync("v1/jobs?fields=")).MustRefuse(400, "fields");
    }

    [Fact]
    public async Task Paging_meets_each_job_once_newest_first_while_others_arrive()
    {
        var queue = Servers.NewName();
        var known = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            var batch = await api.SubmitBatchAsync($"[{string.Join(',', Enumerable.Repeat($$"""{"type": "test.any", "queue": "{{queue}}", "tags": ["a b&c"]}""", 50))}]");
            known.AddRange(batch.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid()));
        }

        var met = new List<Guid>();
        var pages = 0;
        for (var next = $"/v1/jobs?queue={queue}&tag={Uri.EscapeDataString("a b&c")}&limit=40"; next is not null; pages++)
        {
            Assert.StartsWith("/v1/jobs?", next, StringComparison.Ordinal);
            var page = (await api.GetAsync(next)).Json;
            met.AddRange(page.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("id").GetGuid()));
            await api.AcceptedAsync($"\"queue\": \"{queue}\", \"tags\": [\"a b&c\"]"); // arrives while the pages are read
            next = page.TryGetProperty("next", out var link) ? link.GetString() : null;
        }

        Assert.Equal(7, pages);
        Assert.Equal(known.OrderDescending(), met);
    }

    [Fact]
    public async Task A_list_that_ends_with_a_full_page_has_no_next()
    {
        var queue = Servers.NewName();
        for (var i = 0; i < 3; i++)
        {
            await api.AcceptedAsync($"\"queue\": \"{queue}\"");
        }

        Assert.False((await api.GetAsync($"v1/jobs?queue={queue}&limit=3")).Json.TryGetProperty("next", out _));
        Assert.True((await api.GetAsync($"v1/jobs?queue={queue}&limit=2")).Json.TryGetProperty("next", out _));
        Assert.Equal("""{"items":[]}""", (await api.GetAsync("v1/jobs?queue=never-used")).Body);
    }

    [Theory]
    [InlineData("limit=1")]
    [InlineData("limit=200")]
    [InlineData("state=Queued")]
    [InlineData("createdAfter=2030-01-31T12:00:00%2B01:00")]
    public async Task What_a_list_takes_is_taken(string query) => Assert.Equal(200, (await api.GetAsync($"v1/jobs?{query}")).Status);

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("limit=-1", "limit")]
    [InlineData("limit=1.5", "limit")]
    [InlineData("limit=99999999999999999999", "limit")]
    [InlineData("limit=%2B5", "limit")]
    [InlineData("limit=%205", "limit")]
    [InlineData("limit=", "limit")]
    [InlineData("limit=1&limit=2", "limit")]
    [InlineData("state=waiting", "state")]
    [InlineData("state=1", "state")]
    [InlineData("state=%2B1", "state")]
    [InlineData("state=-1", "state")]
    [InlineData("state=queued,running", "state")] // a list of names would be read as another state
    [InlineData("state=", "state")]
    [InlineData("type=", "type")]
    [InlineData("tag=a%00b", "tag")]
    [InlineData("queue=a&queue=b", "queue")]
    [InlineData("createdAfter=yesterday", "createdAfter")]
    [InlineData("createdAfter=10:00", "createdAfter")]
    [InlineData("createdAfter=5/6/2030", "createdAfter")]
    [InlineData("createdBefore=2030-02-30T00:00:00Z", "createdBefore")]
    [InlineData("createdBefore=2030-01-31T12:00:00", "createdBefore")]
    [InlineData("after=1", "after")]
    [InlineData("after=019a00000000700080000000000000000", "after")]
    [InlineData("Limit=5", "Limit")]
    [InlineData("offset=5", "offset")]
    [InlineData("offset=5&sort=type&limit=0", "offset", "sort", "limit")]
    public async Task What_a_list_does_not_take_is_named(string query, params string[] names) => (await api.GetAsync($"v1/jobs?{query}")).MustRefuse(400, names);

    private async Task<Guid[]> IdsAsync(string query)
    {
        var answer = await api.GetAsync($"v1/jobs?{query}");
        Assert.True(answer.Status == 200, answer.Body);
        return [.. answer.Json.GetProperty("items").EnumerateArray().Select(job => job.GetProperty("id").GetGuid())];
    }

    private static string Text(DateTime time) => Uri.EscapeDataString(time.ToString("O"));
}
