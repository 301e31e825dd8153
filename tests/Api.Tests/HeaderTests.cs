using System.IO.Compression;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed partial class HeaderTests(RunningApi api)
{
    [Theory]
    [InlineData("v1/jobs", 200)]
    [InlineData("v1/nothing", 404)]
    [InlineData("health/live", 200)]
    [InlineData("openapi/v1.json", 200)]
    public async Task Every_answer_tells_browsers_that_it_is_no_page_and_caches_that_it_is_not_for_them(string path, int status)
    {
        using var client = api.NewClient();
        using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("nosniff", Header("X-Content-Type-Options"));
        Assert.Equal("default-src 'none'; frame-ancestors 'none'", Header("Content-Security-Policy"));
        Assert.Equal("no-referrer", Header("Referrer-Policy"));
        Assert.Equal("no-store", Header("Cache-Control"));
        Assert.Matches("^[0-9a-f]{32}$", Header("X-Request-Id"));
        Assert.False(answer.Headers.Contains("Server"));

        string Header(string name) => string.Join(", ", answer.Headers.GetValues(name));
    }

    [Fact]
    public async Task The_request_id_is_the_trace_of_the_caller_where_it_has_one_and_stands_in_the_problem()
    {
        const string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        using var request = new HttpRequestMessage(HttpMethod.Get, "v1/nothing") { Headers = { { "traceparent", $"00-{trace}-00f067aa0ba902b7-01" } } };
        var answer = await api.SendAsync(request);
        Assert.Equal(trace, answer.Headers.GetValues("X-Request-Id").Single());
        Assert.Contains(trace, answer.Json.GetProperty("traceId").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_page_of_a_hundred_jobs_is_at_least_seventy_percent_smaller_compressed(string encoding)
    {
        var queue = Servers.NewName();
        await api.SubmitBatchAsync($"[{string.Join(',', Enumerable.Range(0, 100).Select(i => $$"""{"type": "test.any", "queue": "{{queue}}", "tags": ["customer-{{i}}"]}"""))}]");
        var plain = await BytesAsync(null);
        var packed = await BytesAsync(encoding);
        Assert.InRange(packed.Length, 1, plain.Length * 0.3);
        await using Stream unpacking = encoding == "br" ? new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress) : new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var unpacked = new MemoryStream();
        await unpacking.CopyToAsync(unpacked, TestContext.Current.CancellationToken);
        Assert.Equal(plain, unpacked.ToArray());

        async Task<byte[]> BytesAsync(string? accepted)
        {
            using var client = api.NewClient();
            using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/jobs?limit=100&queue={queue}");
            if (accepted is not null)
            {
                request.Headers.AcceptEncoding.ParseAdd(accepted);
            }

            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(accepted, answer.Content.Headers.ContentEncoding.SingleOrDefault());
            return await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task The_type_of_every_problem_leads_to_its_words()
    {
        var kinds = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src", "Api"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Kind().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value)).Distinct().Order().ToArray();
        Assert.InRange(kinds.Length, 13, 100);
        using var client = new HttpClient { BaseAddress = api.Url }; // without a key
        var page = await client.GetStringAsync(new Uri("docs/problems", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(kinds, Heading().Matches(page).Select(match => match.Groups[1].Value).Order());
    }

    [GeneratedRegex("(?:new|Refusal)\\((?:[0-9]+|[a-zA-Z.]*[sS]tatus[a-zA-Z]*), \"([a-z-]+)\"")]
    private static partial Regex Kind();

    [GeneratedRegex("^## (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
