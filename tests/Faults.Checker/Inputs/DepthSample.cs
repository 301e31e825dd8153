namespace QueueScale.Faults.Checker;

/// <summary>The depth of the queues as an API shows it, and as the table had it just before and just after.</summary>
public sealed record DepthSample
{
    /// <summary>Who showed it.</summary>
    public required string Api { get; init; }

    public required DepthReading Before { get; init; }

    public required DepthReading Shown { get; init; }

    public required DepthReading After { get; init; }
}

/// <summary>What somebody said of the depth.</summary>
/// <param name="From">When it was asked for, UTC.</param>
/// <param name="Until">When the answer was there, or was not waited for any longer.</param>
/// <param name="Queues">The queues; null where there was no answer, or none that names a depth. One that is not named is empty.</param>
public sealed record DepthReading(DateTime From, DateTime Until, IReadOnlyList<QueueDepth>? Queues = null);

/// <summary>The jobs of a queue that are not final.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="Ready">Queued.</param>
/// <param name="Running">Running.</param>
/// <param name="Waiting">Scheduled and retrying.</param>
public sealed record QueueDepth(string Queue, long Ready, long Running, long Waiting)
{
    /// <summary>Reads <c>jobs</c>.</summary>
    public const string Select = """
        select queue, count(*) filter (where state = 1), count(*) filter (where state = 2), count(*) filter (where state in (0, 3))
        from jobs where state in (0, 1, 2, 3) group by 1
        """;
}
