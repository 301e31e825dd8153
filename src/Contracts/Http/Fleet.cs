using System.Text.Json;

namespace QueueScale.Contracts;

/// <summary>A job type as the workers registered it.</summary>
public sealed record JobTypeInfo
{
    /// <summary>The name that submissions use.</summary>
    public required string Name { get; init; }

    /// <summary>The queue of its jobs, unless the submission names another.</summary>
    public required string Queue { get; init; }

    /// <summary>Attempts that may fail before a job is given up.</summary>
    public required int MaxAttempts { get; init; }

    /// <summary>The longest that one run may take, an ISO 8601 duration; absent without a limit.</summary>
    public string? Timeout { get; init; }

    /// <summary>The JSON schema of its input.</summary>
    public required JsonElement InputSchema { get; init; }

    /// <summary>When a worker last registered it.</summary>
    public required DateTime RegisteredAt { get; init; }
}

/// <summary>A live worker process.</summary>
public sealed record WorkerInfo
{
    /// <summary>Its name; names repeat from process to process.</summary>
    public required string Name { get; init; }

    /// <summary>The host it runs on.</summary>
    public required string Host { get; init; }

    /// <summary>Its process id there.</summary>
    public required int Pid { get; init; }

    /// <summary>The version of its program.</summary>
    public required string Version { get; init; }

    /// <summary>The queues it serves.</summary>
    public required IReadOnlyList<string> Queues { get; init; }

    /// <summary>Runs it can have at once.</summary>
    public required int Slots { get; init; }

    /// <summary>Runs it has.</summary>
    public required int Busy { get; init; }

    /// <summary>Whether it is on its way out.</summary>
    public required bool Draining { get; init; }

    /// <summary>When the process started.</summary>
    public required DateTime StartedAt { get; init; }
}

/// <summary>A queue and what is in it.</summary>
public sealed record QueueInfo
{
    /// <summary>The queue.</summary>
    public required string Name { get; init; }

    /// <summary>Whether it is paused: its jobs wait until it is resumed, except those that run. Absent from older APIs.</summary>
    public bool Paused { get; init; }

    /// <summary>Queued jobs.</summary>
    public required long Ready { get; init; }

    /// <summary>Running jobs.</summary>
    public required long Running { get; init; }

    /// <summary>Jobs that wait for their time or their next attempt.</summary>
    public required long Waiting { get; init; }

    /// <summary>Seconds since its oldest queued job was last queued; 0 when none is.</summary>
    public required double OldestSeconds { get; init; }

    /// <summary>Seconds that the present workers need for the queued jobs; with no worker, that one would need.</summary>
    public required double DrainSeconds { get; init; }

    /// <summary>How fast it fills and empties; absent while the API has not watched for long enough.</summary>
    public QueueRates? Rates { get; init; }

    /// <summary>Live workers that serve it.</summary>
    public required int Workers { get; init; }
}

/// <summary>Rates of a queue over the last ten seconds.</summary>
/// <param name="QueuedPerSecond">Jobs that were queued: new ones, retries and those handed over.</param>
/// <param name="EndedPerSecond">Runs that ended.</param>
public sealed record QueueRates(double QueuedPerSecond, double EndedPerSecond);

/// <summary>What an autoscaler reads for one queue. A queue that nobody has used yet answers zeros.</summary>
public sealed record QueueScaleInfo
{
    /// <summary>The queue.</summary>
    public required string Queue { get; init; }

    /// <summary>Queued jobs.</summary>
    public required long Ready { get; init; }

    /// <summary>Running jobs.</summary>
    public required long Running { get; init; }

    /// <summary>Ready and running.</summary>
    public required long Backlog { get; init; }

    /// <summary>Runs that the live workers can have at once.</summary>
    public required int Slots { get; init; }

    /// <summary>Live workers that serve it.</summary>
    public required int Workers { get; init; }

    /// <summary>Seconds since its oldest queued job was last queued.</summary>
    public required double OldestSeconds { get; init; }

    /// <summary>Ready x mean run seconds / slots; with no worker, the slots of one. 0 at backlog 0, always a number.</summary>
    public required double DrainSeconds { get; init; }

    /// <summary>Workers that would bring the drain time to its target: 0 at backlog 0, else
    /// ceil((ready x mean run seconds / target drain time + running) / slots per worker). Ready jobs of a paused queue, which cannot start, count as none here.</summary>
    public required int DesiredWorkers { get; init; }
}
