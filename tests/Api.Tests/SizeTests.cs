namespace QueueScale.Tests;

/// <summary>Bodies at and over the limits. Sizes are the defaults of Api:MaxInputBytes and Api:MaxBatchBytes.</summary>
[Collection(OneApi.Name)]
public sealed class SizeTests(RunningApi api)
{
    private const int MaxBatch = 16 * 1024 * 1024;

    [Theory]
    [InlineData('x')]
    [InlineData('é')]
    [InlineData('漢')]
    public async Task An_input_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not(char filling)
    {
        var at = await api.SubmitAsync(Submission(Input(RunningApi.MaxInput, filling)));
        Assert.Equal(202, at.Status);
        Assert.Equal(202, (await api.SubmitBatchAsync($"[{Submission(Input(RunningApi.MaxInput, filling))}]")).Status);
        var stored = await api.GetAsync($"v1/jobs/{at.JobId}");
        Assert.Equal(at.Json.GetProperty("input").GetString(), stored.Json.GetProperty("input").GetString());
        var over = await api.RefusesAsync(() => api.SubmitAsync(Submission(Input(RunningApi.MaxInput + 1, filling))), 413, "/input");
        Assert.Contains($"{RunningApi.MaxInput + 1}", over.Said("/input"), StringComparison.Ordinal);
        await api.RefusesAsync(() => api.SubmitBatchAsync($"[{Submission("1")}, {Submission(Input(RunningApi.MaxInput + 1, filling))}]"), 413, "/1/input");
    }

    [Fact]
    public async Task A_body_that_is_too_long_is_refused_whether_or_not_it_says_so()
    {
        var body = Encoding.UTF8.GetBytes(Submission(Input(2 * RunningApi.MaxInput, 'x')));
        await api.RefusesAsync(() => api.PostAsync("v1/jobs", body), 413, "");
        await api.RefusesAsync(() => ChunkedAsync("v1/jobs", body), 413, "");
    }

    [Fact]
    public async Task A_batch_that_is_too_long_is_refused_whether_or_not_it_says_so()
    {
        var element = Submission(Input(250_000, 'x'));
        var fits = Encoding.UTF8.GetBytes($"[{string.Join(',', Enumerable.Repeat(element, 66))}]");
        Assert.InRange(fits.Length, MaxBatch * 9 / 10, MaxBatch);
        Assert.Equal(202, (await api.PostAsync("v1/jobs/batch", fits)).Status);
        var over = Encoding.UTF8.GetBytes($"[{string.Join(',', Enumerable.Repeat(element, 70))}]");
        await api.RefusesAsync(() => api.PostAsync("v1/jobs/batch", over), 413, "");
        await api.RefusesAsync(() => ChunkedAsync("v1/jobs/batch", over), 413, "");
    }

    [Fact]
    public async Task A_chunked_body_within_the_limits_is_accepted() =>
        Assert.Equal(202, (await ChunkedAsync("v1/jobs", Encoding.UTF8.GetBytes(Submission(Input(100_000, 'x'))))).Status);

    [Fact]
    public async Task Numbers_do_not_smuggle_in_more_than_the_limit()
    {
        // PostgreSQL writes them out: 30,000 of these would be 12 MB to whoever reads the job.
        var small = $"[{string.Join(',', Enumerable.Repeat("1e400", 30_000))}]";
        Assert.InRange(small.Length, 100_000, RunningApi.MaxInput);
        await api.RefusesAsync(() => api.SubmitAsync(Submission(small)), 413, "/input");
        Assert.Equal(202, (await api.SubmitAsync(Submission($"[{string.Join(',', Enumerable.Repeat("1.5e-7", 15_000))}]"))).Status);
    }

    /// <summary>A JSON text of so many bytes.</summary>
    private static string Input(int bytes, char filling)
    {
        var width = Encoding.UTF8.GetByteCount([filling]);
        return $"\"{new string(filling, (bytes - 2) / width)}{new string('y', (bytes - 2) % width)}\"";
    }

    private static string Submission(string input) => $$"""{"type": "{{RunningApi.Any}}", "input": {{input}}}""";

    private async Task<Answer> ChunkedAsync(string path, byte[] body)
    {
        using var content = new StreamContent(new MemoryStream(body)) { Headers = { ContentType = new("application/json") } };
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content, Headers = { TransferEncodingChunked = true } };
        return await api.SendAsync(request);
    }
}
