using System.Net.Http.Headers;

namespace QueueScale.Tests;

/// <summary>What an API answered, as it came over the wire.</summary>
public sealed record Answer(int Status, string ContentType, HttpResponseHeaders Headers, string Body)
{
    public bool IsJson => ContentType.Contains("json", StringComparison.Ordinal);

    public JsonElement Json { get; } = Body.Length > 0 && ContentType.Contains("json", StringComparison.Ordinal) ? JsonElement.Parse(Body) : default;

    public Guid JobId => Json.GetProperty("id").GetGuid();

    /// <summary>A member that is a text.</summary>
    public string? Text(string member) => Json.GetProperty(member).GetString();

    /// <summary>The members that a refusal names, in order.</summary>
    public IReadOnlyList<string> Pointers => Json.TryGetProperty("errors", out var errors) ? [.. errors.EnumerateObject().Select(e => e.Name).Order(StringComparer.Ordinal)] : [];

    /// <summary>All that is said of one member.</summary>
    public string Said(string member) => string.Join("; ", Json.GetProperty("errors").GetProperty(member).EnumerateArray().Select(message => message.GetString()));

    public static async Task<Answer> OfAsync(HttpResponseMessage response)
    {
        using (response)
        {
            return new((int)response.StatusCode, response.Content.Headers.ContentType?.ToString() ?? "", response.Headers, await response.Content.ReadAsStringAsync());
        }
    }

    /// <summary>Asserts that this is a refusal as RFC 9457 and the API's own rules demand it, and that it names exactly these members.</summary>
    public Answer MustRefuse(int status, params string[] pointers)
    {
        Assert.True(status == Status, $"{status} was expected, not {Status}: {Body}");
        Assert.Equal("application/problem+json", ContentType);
        Assert.Equal(status, Json.GetProperty("status").GetInt32());
        Assert.StartsWith("/docs/problems#", Json.GetProperty("type").GetString(), StringComparison.Ordinal);
        Assert.NotEmpty(Json.GetProperty("title").GetString()!);
        Assert.NotEmpty(Json.GetProperty("detail").GetString()!);
        Assert.NotEmpty(Json.GetProperty("traceId").GetString()!);
        Assert.True(pointers.Order(StringComparer.Ordinal).SequenceEqual(Pointers), $"The members {string.Join(", ", pointers)} were to be named: {Body}");
        Assert.All(Pointers, member => Assert.NotEmpty(Said(member)));
        Assert.DoesNotContain("Exception", Body, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", Body, StringComparison.Ordinal);
        return this;
    }
}
