namespace QueueScale.Client;

/// <summary>The API refused a call (RFC 9457).</summary>
public sealed class QueueScaleException : Exception
{
    /// <summary>Creates one; the client does.</summary>
    public QueueScaleException(int status, string title, string? detail = null, IReadOnlyDictionary<string, IReadOnlyList<string>>? errors = null, TimeSpan? retryAfter = null)
        : base(Text(status, title, detail, errors))
    {
        Status = status;
        Title = title;
        Detail = detail;
        Errors = errors ?? new Dictionary<string, IReadOnlyList<string>>();
        RetryAfter = retryAfter;
    }

    /// <summary>The HTTP status.</summary>
    public int Status { get; }

    /// <summary>What kind of refusal it is.</summary>
    public string Title { get; }

    /// <summary>What is wrong in this case, and what to do.</summary>
    public string? Detail { get; }

    /// <summary>What is wrong with each member: a JSON pointer into the body (<c>/input/table</c>; <c>/1/type</c> in a batch) and messages.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Errors { get; }

    /// <summary>How long to wait before trying again, where the API says so: it is overloaded or a server of it is away.</summary>
    public TimeSpan? RetryAfter { get; }

    private static string Text(int status, string title, string? detail, IReadOnlyDictionary<string, IReadOnlyList<string>>? errors)
    {
        var members = (errors ?? new Dictionary<string, IReadOnlyList<string>>()).SelectMany(member => member.Value.Select(message => $"\n  {member.Key} {message}"));
        return string.Concat([$"{title.TrimEnd('.')} ({status}).", detail is null ? "" : $" {detail}", .. members]);
    }
}
