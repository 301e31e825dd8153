namespace QueueScale.Contracts;

/// <summary>What a request in bulk does to its jobs.</summary>
public enum BulkAction
{
    /// <summary>Failed or cancelled jobs are run again.</summary>
    Retry,

    /// <summary>Jobs that are not final are cancelled.</summary>
    Cancel,
}

/// <summary>A request in bulk, and how far it is. It is carried out in the background; each job that was there when it was asked for is looked at once.</summary>
public sealed record BulkRequest
{
    /// <summary>UUIDv7.</summary>
    public required Guid Id { get; init; }

    /// <summary>What is done.</summary>
    public required BulkAction Action { get; init; }

    /// <summary>Retry: whether the jobs begin without their checkpoints.</summary>
    public required bool FromStart { get; init; }

    /// <summary>Jobs a second at most; absent without a limit.</summary>
    public int? Rate { get; init; }

    /// <summary>How many jobs fitted when it was asked for.</summary>
    public required long Matched { get; init; }

    /// <summary>How many were moved. In the end another number than matched where jobs came into the state or left it meanwhile.</summary>
    public required long Done { get; init; }

    /// <summary>When it was asked for.</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>When the last job had been looked at; absent before.</summary>
    public DateTime? FinishedAt { get; init; }

    /// <summary>Where to read on.</summary>
    public required BulkLinks Links { get; init; }
}

/// <summary>Addresses of a request in bulk.</summary>
/// <param name="Self">The request.</param>
public sealed record BulkLinks(string Self);

/// <summary>The answer to a request in bulk that was to be tried only.</summary>
/// <param name="Matched">How many jobs fit now.</param>
public sealed record BulkCount(long Matched);
