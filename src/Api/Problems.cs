using System.Diagnostics;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>A refusal, thrown where it is found and written by <see cref="ProblemWriter"/>.</summary>
internal sealed class Refusal(int status, string kind, string title, string? detail = null, InvalidFields? fields = null) : Exception
{
    public int Status => status;

    public string Kind => kind;

    public string Title => title;

    public string? Detail => detail;

    public InvalidFields? Fields => fields;

    /// <summary>For 429 and 503: when to come again.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(1);

    public static Refusal Unreadable(string detail, InvalidFields? fields = null) => new(400, "unreadable", "The request cannot be read.", detail, fields);

    public static Refusal Invalid(InvalidFields fields) => new(422, "invalid-job", "The job is not valid.", $"Nothing was stored. See errors for each member, of which at most {InvalidFields.Most} are named.", fields);

    public static Refusal InvalidSchedule(InvalidFields fields) => new(422, "invalid-schedule", "The schedule is not valid.", $"Nothing was changed. See errors for each member, of which at most {InvalidFields.Most} are named.", fields);

    public static Refusal TooLarge(string detail, InvalidFields? fields = null) => new(413, "too-large", "The request is too large.", detail, fields);

    public static Refusal NotFound(string detail) => new(404, "not-found", "There is no such thing here.", detail);

    public static Refusal Unavailable(string detail) => new(503, "unavailable", "The store does not answer.", detail);
}

/// <summary>What is wrong with which member: JSON pointer, or name of a query parameter, to messages.</summary>
internal sealed class InvalidFields
{
    /// <summary>An answer names no more members than this, however many are wrong.</summary>
    public const int Most = 100;

    private readonly Dictionary<string, List<string>> fields = [];

    public bool Any => fields.Count > 0;

    public void Add(string pointer, string message)
    {
        if (fields.TryGetValue(pointer, out var messages))
        {
            messages.Add(message);
        }
        else if (fields.Count < Most)
        {
            fields.Add(pointer, [message]);
        }
    }

    public void AddAll(InvalidFields others)
    {
        foreach (var (pointer, messages) in others.fields)
        {
            messages.ForEach(message => Add(pointer, message));
        }
    }

    public static InvalidFields Of(string pointer, string message)
    {
        var one = new InvalidFields();
        one.Add(pointer, message);
        return one;
    }

    public IReadOnlyDictionary<string, IReadOnlyList<string>> ToMap() => fields.ToDictionary(f => f.Key, f => (IReadOnlyList<string>)f.Value);
}

/// <summary>Writes problem+json.</summary>
internal static class ProblemWriter
{
    public static Task WriteAsync(HttpContext context, Refusal refusal)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return Task.CompletedTask;
        }

        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/problem+json";
        context.Response.Headers.CacheControl = "no-store"; // an endpoint may have said otherwise before it failed
        context.Response.Headers.Remove(Waiting.Applied);
        if (refusal.Status is 429 or 503)
        {
            context.Response.Headers.RetryAfter = ((int)Math.Ceiling(refusal.RetryAfter.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return context.Response.WriteAsJsonAsync(
            new Problem
            {
                Type = $"{ProblemsPage.Address}#{refusal.Kind}",
                Title = refusal.Title,
                Status = refusal.Status,
                Detail = refusal.Detail,
                Errors = refusal.Fields?.ToMap(),
                TraceId = Activity.Current?.Id ?? context.TraceIdentifier,
            },
            options: null, "application/problem+json", context.RequestAborted);
    }
}
