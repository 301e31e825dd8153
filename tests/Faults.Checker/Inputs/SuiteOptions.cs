namespace QueueScale.Faults.Checker;

/// <summary>The bounds by which a history is judged, and what the suite did on purpose.</summary>
public sealed record SuiteOptions
{
    /// <summary>99 % of the work that remains when the last fault ends is done within this. Default one minute.</summary>
    public TimeSpan LivenessBound { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>After the drain no job that is older than this is unfinished. Default one minute.</summary>
    public TimeSpan DrainBound { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A cancelled job may still start for this long after the cancel was answered: its claim may have been under way. Default one second.</summary>
    public TimeSpan CancelGrace { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Steps that a run may have to repeat: those between two checkpoints of the suite's handlers. Default 1.</summary>
    public int StepBound { get; init; } = 1;

    /// <summary>By kind of fault: 99 % of the runs that it cut go on elsewhere within this.</summary>
    public IReadOnlyDictionary<string, TimeSpan> HandOverBounds { get; init; } = new Dictionary<string, TimeSpan>();

    /// <summary>For so long after its end a fault explains that a worker is taken for dead; null where deaths need no explanation.</summary>
    public TimeSpan? DeathsWithin { get; init; }

    /// <summary>What is shown of the depth of the queues is no older; then it shows none. Default 3 seconds.</summary>
    public TimeSpan DepthGoodFor { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>With a drain time above this a worker calls itself backlogged. Default 5 minutes.</summary>
    public TimeSpan MaxDrainTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A fault counts only if it struck at least this many jobs. Default 50.</summary>
    public int LeastJobsHit { get; init; } = 50;

    /// <summary>Messages that the suite sent and no consumer can read.</summary>
    public int MalformedMessages { get; init; }
}
