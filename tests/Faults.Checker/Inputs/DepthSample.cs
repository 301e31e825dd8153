namespace QueueScale.Faults.Checker;

/// <summary>The depth of the queues as an API's metrics or a worker's readiness show it, and as the table had it just before and just after.</summary>
public sealed record DepthSample
{
    /// <summary>Who showed it.</summary>
    public required string Who { get; init; }

    public required DepthReading Before { get; init; }

    public required DepthReading Shown { get; init; }

    public required DepthReading After { get; init; }

    /// <summary>What a worker said of itself at the same time; null of an API, and of a worker that did not answer.</summary>
    public ReadinessShown? Readiness { get; init; }
}

/// <summary>A worker's answer about its readiness.</summary>
/// <param name="Code">The HTTP status.</param>
/// <param name="Status">In one word.</param>
/// <param name="KnowsDepth">Whether its own check found the depth out.</param>
/// <param name="LongestDrainSeconds">The longest drain time of its queues; null where it shows none.</param>
public sealed record ReadinessShown(int Code, string Status, bool KnowsDepth, double? LongestDrainSeconds = null);

/// <summary>What somebody said of the depth.</summary>
/// <param name="From">When it was asked for, UTC.</param>
/// <param name="Until">When the answer was there, or was not waited for any longer.</param>
/// <param name="Queues">The queues; null where there was no answer, or none that names a depth. One that is not named is empty.</param>
public sealed record DepthReading(DateTime From, DateTime Until, IReadOnlyList<QueueDepth>? Queues = null);

/// <summary>The jobs of a queue that are not final.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="Ready">Queued.</param>
/// <param name="Running">Running.</param>
/// <param name="Waiting">Scheduled and retrying; null where that is not shown.</param>
/// <param name="OldestAt">The table: since when its oldest ready job is ready; null where none is.</param>
/// <param name="OldestSeconds">Shown: for how long that is.</param>
public sealed record QueueDepth(string Queue, long Ready, long Running, long? Waiting = null, DateTime? OldestAt = null, double? OldestSeconds = null)
{
    /// <summary>Reads <c>jobs</c> for the queues that <c>$1</c> names, by the indexes of each state: what waits in other queues costs nothing.</summary>
    public const string Select = """
        select queue, sum(ready)::bigint, sum(running)::bigint, sum(waiting)::bigint, min(oldest) from (
          select queue, count(*) as ready, 0 as running, 0 as waiting, min(at) as oldest from jobs where state = 1 and queue = any($1) group by 1
          union all select queue, 0, count(*), 0, null from jobs where state = 2 and queue = any($1) group by 1
          union all select queue, 0, 0, count(*), null from jobs where state in (0, 3) and queue = any($1) group by 1) as depth
        group by 1
        """;
}
