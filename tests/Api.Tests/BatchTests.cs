namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class BatchTests(RunningApi api)
{
    private const string Good = $$"""{"type": "{{RunningApi.Any}}"}""";

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("{\"jobs\": []}")]
    public async Task A_batch_is_an_array_of_at_least_one_submission(string body) => await api.RefusesAsync(() => api.SubmitBatchAsync(body), 422, "");

    [Fact]
    public async Task Ten_thousand_submissions_are_accepted_and_one_more_is_not()
    {
        var answer = await api.SubmitBatchAsync(Batch(10_000));
        Assert.Equal(202, answer.Status);
        var ids = answer.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid()).ToArray();
        Assert.Equal(10_000, ids.Distinct().Count());
        Assert.Equal(10_000, await api.Stage.ScalarAsync<long>("select count(*) from jobs where id = any($1)", ids));
        await api.RefusesAsync(() => api.SubmitBatchAsync(Batch(10_001)), 422, "");
    }

    [Fact]
    public async Task The_ids_come_in_the_order_of_the_submissions()
    {
        var answer = await api.SubmitBatchAsync($"[{string.Join(',', Enumerable.Range(0, 200).Select(i => $$"""{"type": "{{RunningApi.Any}}", "input": {{i}}}"""))}]");
        var ids = answer.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid()).ToArray();
        Assert.Equal(Enumerable.Range(0, 200), await api.Stage.QueryAsync<int>("select input::int from unnest($1) with ordinality as n(id, place) join jobs using (id) order by place", ids));
    }

    [Theory]
    [InlineData("application/X-NDJSON")]
    [InlineData("application/jsonl; charset=utf-8")]
    public async Task Lines_of_JSON_are_a_batch_too(string contentType)
    {
        var answer = await LinesAsync($"{Good}\r\n\n  {Good}\n{Good}", contentType);
        Assert.Equal((202, 3), (answer.Status, answer.Json.GetProperty("ids").GetArrayLength()));
    }

    [Fact]
    public async Task What_is_wrong_in_a_line_is_named_by_it()
    {
        await api.RefusesAsync(() => LinesAsync($$"""{{Good}}{{"\n"}}{"type": "{{RunningApi.Any}}", "maxAttempts": 0}"""), 422, "/1/maxAttempts");
        var unreadable = await api.RefusesAsync(() => LinesAsync($"{Good}\n\n{Good},{Good}\n"), 400);
        Assert.Contains("in line 3", unreadable.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await api.RefusesAsync(() => LinesAsync("\n \n"), 422, "");
        await api.RefusesAsync(() => LinesAsync(string.Concat(Enumerable.Repeat("1\n", 2_000_000))), 422, "");
    }

    [Fact]
    public async Task All_that_is_wrong_anywhere_in_a_batch_is_told_at_once_and_nothing_is_stored()
    {
        var bad = """{"type": "test.any", "queue": "Bad Name", "maxAttempts": 0}""";
        var elements = Enumerable.Repeat(Good, 12).ToArray();
        elements[7] = bad;
        elements[9] = "17";
        elements[11] = """{"type": "test.strict", "input": {"name": "ok", "list": [{"id": 1}, {"id": "x"}]}}""";
        await api.RefusesAsync(() => api.SubmitBatchAsync($"[{string.Join(',', elements)}]"), 422, "/7/queue", "/7/maxAttempts", "/9", "/11/input/list/1/id");
    }

    [Fact]
    public async Task What_cannot_be_stored_is_named_by_its_element_too() =>
        await api.RefusesAsync(() => api.SubmitBatchAsync($$$"""[{{{Good}}}, {"type": "test.any", "input": {"a": [1, 1e400000]}}]"""), 422, "/1/input/a/1");

    [Fact]
    public async Task An_answer_to_ten_thousand_mistakes_is_bounded()
    {
        var answer = await api.SubmitBatchAsync($"[{string.Join(',', Enumerable.Repeat("{\"type\": \"no.such\", \"x\": 1}", 10_000))}]");
        Assert.Equal(422, answer.Status);
        Assert.InRange(answer.Pointers.Count, 50, 200);
        Assert.InRange(answer.Body.Length, 1000, 200_000);
        Assert.Contains("/0/type", answer.Pointers);
    }

    private async Task<Answer> LinesAsync(string lines, string contentType = "application/x-ndjson")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs/batch") { Content = new StringContent(lines, Encoding.UTF8) };
        request.Content.Headers.ContentType = System.Net.Http.Headers.MediaTypeHeaderValue.Parse(contentType);
        return await api.SendAsync(request);
    }

    private static string Batch(int count) => $"[{string.Join(',', Enumerable.Repeat(Good, count))}]";
}
