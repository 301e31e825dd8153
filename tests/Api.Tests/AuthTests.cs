namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class AuthTests(RunningApi api)
{
    public static TheoryData<string?> BadHeaders =>
    [
        (string?)null,
        "",
        "Bearer",
        "Bearer ",
        $"Bearer {Stage.Key}x",
        $"Bearer {Stage.Key[..^1]}",
        $"Bearer {Stage.Key.ToUpperInvariant()}",
        $"Bearer qs_{new string('x', 30)}",
        $"Bearer {Stage.Key} {Stage.Key}",
        $"Bearer {Stage.Key}, Bearer {Stage.Key}",
        $"Bearer{Stage.Key}",
        $"Basic {Stage.Key}",
        $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"qs:{Stage.Key}"))}",
        Stage.Key,
        "Bearer qs_0123456789ab_" + new string('x', 38), // the form of a key, and no key
        "Bearer " + new string('x', 8000),
    ];

    [Theory]
    [MemberData(nameof(BadHeaders))]
    public async Task Without_a_valid_key_nothing_is_stored(string? authorization)
    {
        var answer = await api.RefusesAsync(() => SubmitAsync(authorization), 401);
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
        Assert.DoesNotContain(Stage.Key, answer.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bearer {0}")]
    [InlineData("BEARER {0}")]
    [InlineData("Bearer   {0}")]
    public async Task The_scheme_is_read_in_any_case_and_with_any_space(string header) =>
        Assert.Equal(202, (await SubmitAsync(string.Format(null, header, Stage.Key))).Status);

    [Theory]
    [InlineData("GET", "/v1/jobs")]
    [InlineData("GET", "/V1/JOBS")]
    [InlineData("GET", "/v1/jobs/00000000-0000-0000-0000-000000000000")]
    [InlineData("POST", "/v1/jobs/00000000-0000-0000-0000-000000000000/cancel")]
    [InlineData("POST", "/v1/jobs/batch")]
    [InlineData("GET", "/v1/job-types")]
    [InlineData("GET", "/v1/workers")]
    [InlineData("GET", "/v1/queues")]
    [InlineData("GET", "/v1/queues/default/scale")]
    [InlineData("GET", "/v1/schedules")]
    [InlineData("GET", "/v1/schedules/nightly")]
    [InlineData("PUT", "/v1/schedules/nightly")]
    [InlineData("DELETE", "/v1/schedules/nightly")]
    [InlineData("GET", "/v1/keys")]
    [InlineData("POST", "/v1/keys")]
    [InlineData("DELETE", "/v1/keys/0123456789ab")]
    [InlineData("GET", "/v1/no-such-thing")]
    [InlineData("DELETE", "/v1")]
    public async Task Everything_below_v1_needs_a_key(string method, string path)
    {
        using var anyone = new HttpClient { BaseAddress = api.Url };
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        (await Answer.OfAsync(await anyone.SendAsync(request))).MustRefuse(401);
    }

    private async Task<Answer> SubmitAsync(string? authorization)
    {
        using var anyone = new HttpClient { BaseAddress = api.Url };
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs")
        {
            Content = new StringContent($$"""{"type": "{{RunningApi.Any}}"}""", Encoding.UTF8, "application/json"),
        };
        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        return await Answer.OfAsync(await anyone.SendAsync(request));
    }
}
