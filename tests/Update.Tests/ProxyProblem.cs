using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>What nginx answers itself, in the form of the API's problems.</summary>
public static class ProxyProblem
{
    /// <param name="http">Talks to nginx.</param>
    /// <param name="address">Relative, or whole.</param>
    /// <param name="status">Must be the answer.</param>
    /// <param name="kind">The section of docs/reference/problems.md that it must lead to.</param>
    /// <param name="body">Bytes to send; null reads.</param>
    /// <param name="retryAfter">Whether it must say when to come again.</param>
    public static async Task MustComeAsync(HttpClient http, string address, int status, string kind, int? body = null, bool retryAfter = false)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, new Uri(address, UriKind.RelativeOrAbsolute));
        if (body is { } length)
        {
            request.Content = new ByteArrayContent(new byte[length]);
            request.Headers.ExpectContinue = true; // who is refused by the length alone sends nothing
        }

        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{answer}\n{text}");
        var problem = JsonElement.Parse(text);
        Assert.Equal((status, status, $"/docs/problems#{kind}"), ((int)answer.StatusCode, problem.GetProperty("status").GetInt32(), problem.GetProperty("type").GetString()));
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.False(problem.TryGetProperty("traceId", out _), "This comes from an API.");
        Assert.Equal(retryAfter, answer.Headers.RetryAfter is not null);
        Assert.Equal("nginx", answer.Headers.Server.ToString());
    }
}
