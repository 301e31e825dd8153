namespace QueueScale.Faults.Checker;

/// <summary>What was seen outside of the database once the work was drained.</summary>
public sealed record AfterDrain
{
    /// <summary>When the database and the broker were read, UTC.</summary>
    public required DateTime At { get; init; }

    /// <summary>All queues of the vhost.</summary>
    public required IReadOnlyList<BrokerQueue> Queues { get; init; }

    /// <summary>By job: late writes that were refused, as the workers logged them. Those without a readable job belong to an empty one.</summary>
    public IReadOnlyDictionary<Guid, int> LateWrites { get; init; } = new Dictionary<Guid, int>();

    /// <summary>Processes that had to be started again from outside after they had ended in a way that nobody had asked for.</summary>
    public IReadOnlyList<HandStart> StartedByHand { get; init; } = [];
}

/// <summary>The counts of a RabbitMQ queue.</summary>
/// <param name="Name">Its name; what ends with <c>_error</c> or <c>_skipped</c> holds messages that nobody could take.</param>
/// <param name="Ready">Messages that wait.</param>
/// <param name="Unacked">Messages that are delivered and not acknowledged.</param>
public sealed record BrokerQueue(string Name, long Ready, long Unacked)
{
    internal bool HoldsRefused => Name.EndsWith("_error", StringComparison.Ordinal) || Name.EndsWith("_skipped", StringComparison.Ordinal);
}

/// <summary>A process that ended unasked and was started again.</summary>
/// <param name="At">When it ended, UTC.</param>
/// <param name="Process">Which.</param>
/// <param name="How">How it ended.</param>
public sealed record HandStart(DateTime At, string Process, string How);
