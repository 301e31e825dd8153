using System.Text.Json;

namespace QueueScale.Contracts;

/// <summary>A submission: the body of <c>POST /v1/jobs</c>, and an element of a batch.</summary>
public sealed record SubmitJob
{
    /// <summary>A registered job type.</summary>
    public required string Type { get; init; }

    /// <summary>Checked against the type's schema. Absent means <c>{}</c>.</summary>
    public JsonElement? Input { get; init; }

    /// <summary>Another queue than the type's own.</summary>
    public string? Queue { get; init; }

    /// <summary>Normal or high; normal where absent.</summary>
    public JobPriority? Priority { get; init; }

    /// <summary>Not before this time (RFC 3339). Excludes <c>delay</c>.</summary>
    public DateTimeOffset? RunAt { get; init; }

    /// <summary>Not before this long from now: an ISO 8601 duration such as <c>PT90S</c>.</summary>
    public string? Delay { get; init; }

    /// <summary>Attempts that may fail, 1 to 100, in place of the type's own number.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>The longest that one run may take (an interrupted one and the next count apart), in place of the type's own: an ISO 8601 duration.</summary>
    public string? Timeout { get; init; }

    /// <summary>At most one job with this key is unfinished: while there is one, it is the answer and no other is made. 1 to 255 characters.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>Up to 10 words of at most 64 characters to find the job by.</summary>
    public IReadOnlyList<string>? Tags { get; init; }
}
