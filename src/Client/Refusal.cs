using System.Text.Json;

namespace QueueScale.Client;

/// <summary>Reads a refusal: problem+json from the API, anything from what stands before it.</summary>
internal static class Refusal
{
    private const int LongestBody = 500;

    public static async Task<QueueScaleException> ReadAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        var status = (int)answer.StatusCode;
        var wait = answer.Headers.RetryAfter is { } header ? header.Delta ?? header.Date - DateTimeOffset.UtcNow : null;
        var body = await answer.Content.ReadAsStringAsync(cancellation);
        if (answer.Content.Headers.ContentType?.MediaType == "application/problem+json" && Parse(body) is { } problem)
        {
            return new(status, problem.Title ?? $"HTTP {status}", problem.Detail, problem.Errors, wait);
        }
        return new(status, answer.ReasonPhrase ?? $"HTTP {status}", body.Length > LongestBody ? body[..LongestBody] + "…" : body, retryAfter: wait);
    }

    private static Problem? Parse(string body)
    {
        try
        {
            return JsonSerializer.Deserialize<Problem>(body, ClientJson.Options);
        }
        catch (JsonException)
        {
            return null; // cut off, or not what its content type says: shown as it is
        }
    }

    private sealed record Problem(string? Title, string? Detail, IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors);
}
