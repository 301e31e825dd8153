namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class RouteTests(RunningApi api)
{
    [Theory]
    [InlineData("v1")]
    [InlineData("v1/")]
    [InlineData("v1/job")]
    [InlineData("v1/jobs/batch/x")]
    [InlineData("v1/jobs/../../etc/passwd")]
    [InlineData("v1/queues/default/x")]
    [InlineData("v2/jobs")]
    [InlineData("nothing")]
    [InlineData("")]
    public async Task An_unknown_address_is_404(string path) => (await api.GetAsync($"/{path}")).MustRefuse(404);

    [Theory]
    [InlineData("not-a-uuid")]
    [InlineData("019a0000000070008000000000000000")]
    [InlineData("{019a0000-0000-7000-8000-000000000000}")]
    [InlineData("019a0000-0000-7000-8000-00000000000")]
    [InlineData("019a0000-0000-7000-8000-0000000000000")]
    [InlineData("019a0000-0000-7000-8000-000000000000")] // a UUID, but nobody's
    [InlineData("%ff%fe")]
    [InlineData("'; drop table jobs; --")]
    public async Task A_job_that_cannot_be_is_404(string id)
    {
        (await api.GetAsync($"v1/jobs/{id}")).MustRefuse(404);
        (await api.GetAsync($"v1/jobs/{id}/runs")).MustRefuse(404);
        (await api.GetAsync($"v1/jobs/{id}/events")).MustRefuse(404);
        (await api.PostAsync($"v1/jobs/{id}/cancel", [])).MustRefuse(404);
    }

    [Theory]
    [InlineData("DELETE", "v1/jobs")]
    [InlineData("PUT", "v1/jobs")]
    [InlineData("PATCH", "v1/jobs/019a0000-0000-7000-8000-000000000000")]
    [InlineData("GET", "v1/jobs/019a0000-0000-7000-8000-000000000000/cancel")]
    [InlineData("POST", "v1/workers")]
    [InlineData("POST", "v1/queues/default/scale")]
    [InlineData("BREW", "v1/jobs")]
    public async Task A_method_that_an_address_does_not_take_is_405_and_names_those_that_it_takes(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        using var raw = api.NewClient();
        using var response = await raw.SendAsync(request);
        Assert.NotEmpty(response.Content.Headers.Allow);
        (await Answer.OfAsync(response)).MustRefuse(405);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("application/json/x")]
    [InlineData(null)]
    public async Task A_body_that_does_not_say_it_is_JSON_is_415(string? contentType)
    {
        foreach (var path in new[] { "v1/jobs", "v1/jobs/batch" })
        {
            var answer = await api.RefusesAsync(async () =>
            {
                using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($$"""{"type": "{{RunningApi.Any}}"}"""));
                if (contentType is not null)
                {
                    content.Headers.TryAddWithoutValidation("Content-Type", contentType);
                }

                using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
                return await api.SendAsync(request);
            }, 415);
            Assert.Contains("application/json", answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("APPLICATION/JSON")]
    public async Task A_body_that_says_so_in_other_words_is_read(string contentType)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($$"""{"type": "{{RunningApi.Any}}"}"""));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = content };
        Assert.Equal(202, (await api.SendAsync(request)).Status);
    }

    [Fact]
    public async Task Addresses_in_answers_are_relative_and_lead_where_they_say()
    {
        var answer = await api.SubmitAnyAsync("\"tags\": [\"links\"]");
        Assert.Equal($"/v1/jobs/{answer.JobId}", answer.Headers.Location!.ToString());
        var links = answer.Json.GetProperty("links");
        Assert.Equal($"/v1/jobs/{answer.JobId}", links.GetProperty("self").GetString());
        Assert.Equal(200, (await api.GetAsync(links.GetProperty("self").GetString()!)).Status);
        Assert.Equal(200, (await api.GetAsync(links.GetProperty("runs").GetString()!)).Status);
        Assert.Equal(200, (await api.PostAsync(links.GetProperty("cancel").GetString()!, [])).Status);
    }
}
