namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class OpenApiTests(RunningApi api)
{
    private static readonly string[] Routes =
    [
        "POST /v1/jobs", "GET /v1/jobs", "POST /v1/jobs/batch", "GET /v1/jobs/{id}", "GET /v1/jobs/{id}/runs", "GET /v1/jobs/{id}/events", "POST /v1/jobs/{id}/cancel", "POST /v1/jobs/{id}/retry", "GET /v1/jobs/{id}/explain", "POST /v1/jobs/retry", "POST /v1/jobs/cancel", "GET /v1/bulk/{id}",
        "GET /v1/job-types", "GET /v1/workers", "POST /v1/workers/{name}/drain", "GET /v1/queues", "GET /v1/queues/{queue}/scale", "GET /v1/queues/{queue}", "POST /v1/queues/{queue}/pause", "POST /v1/queues/{queue}/resume",
        "POST /v1/keys", "GET /v1/keys", "GET /v1/keys/{id}", "DELETE /v1/keys/{id}", "POST /v1/keys/{id}/rotate",
        "GET /v1/schedules", "GET /v1/schedules/{name}", "PUT /v1/schedules/{name}", "DELETE /v1/schedules/{name}",
    ];

    [Fact]
    public async Task The_description_names_every_call_and_needs_no_key()
    {
        var paths = (await DocumentAsync()).GetProperty("paths");
        var described = paths.EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name.ToUpperInvariant()} {path.Name.TrimEnd('/')}"));
        Assert.Equal(Routes.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_call_has_a_summary_an_id_of_its_own_and_tells_its_answers()
    {
        var calls = (await DocumentAsync()).GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => method.Value)).ToArray();
        Assert.Equal(calls.Length, calls.Select(call => call.GetProperty("operationId").GetString()).Distinct().Count());
        Assert.All(calls, call =>
        {
            Assert.NotEmpty(call.GetProperty("summary").GetString()!);
            var answers = call.GetProperty("responses");
            Assert.Contains(new[] { "200", "201", "202", "204" }, good => answers.TryGetProperty(good, out _));
            Assert.True(answers.GetProperty("401").GetProperty("content").TryGetProperty("application/problem+json", out _));
            Assert.True(answers.TryGetProperty("503", out _));
        });
    }

    [Fact]
    public async Task The_parameters_of_a_list_are_told()
    {
        var list = (await DocumentAsync()).GetProperty("paths").EnumerateObject().Single(path => path.Name.TrimEnd('/') == "/v1/jobs").Value.GetProperty("get");
        var parameters = list.TryGetProperty("parameters", out var told) ? told.EnumerateArray().Select(p => p.GetProperty("name").GetString()!).ToArray() : [];
        Assert.Equal(["after", "createdAfter", "createdBefore", "fields", "limit", "queue", "state", "tag", "type"], parameters.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_part_of_an_address_that_varies_is_a_parameter()
    {
        foreach (var path in (await DocumentAsync()).GetProperty("paths").EnumerateObject())
        {
            foreach (var call in path.Value.EnumerateObject())
            {
                var told = call.Value.TryGetProperty("parameters", out var parameters) ? parameters.EnumerateArray().Where(p => p.GetProperty("in").GetString() == "path").Select(p => $"{{{p.GetProperty("name").GetString()}}}") : [];
                Assert.Equal(path.Name.Split('/').Where(part => part.StartsWith('{')), told);
            }
        }
    }

    private async Task<JsonElement> DocumentAsync()
    {
        using var anyone = new HttpClient { BaseAddress = api.Url };
        var answer = await Answer.OfAsync(await anyone.GetAsync(new Uri("openapi/v1.json", UriKind.Relative)));
        Assert.Equal(200, answer.Status);
        Assert.StartsWith("3.", answer.Json.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        return answer.Json;
    }
}
