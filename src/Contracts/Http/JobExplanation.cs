namespace QueueScale.Contracts;

/// <summary>What a job waits for.</summary>
public enum WaitReason
{
    /// <summary>Nothing: it has ended.</summary>
    Final,

    /// <summary>Nothing: it runs.</summary>
    Running,

    /// <summary>Its time.</summary>
    Scheduled,

    /// <summary>The next attempt, after one that failed; or a second look, after its worker died.</summary>
    Retrying,

    /// <summary>That its queue, which is paused, is resumed.</summary>
    Paused,

    /// <summary>A worker: none that is alive serves its queue and has its type.</summary>
    NoWorker,

    /// <summary>The jobs before it.</summary>
    Behind,

    /// <summary>A worker to take it: it is its turn.</summary>
    Next,
}

/// <summary>Why a job waits, and for how long it will.</summary>
public sealed record JobExplanation
{
    /// <summary>The job.</summary>
    public required Guid Id { get; init; }

    /// <summary>Where it stands.</summary>
    public required JobState State { get; init; }

    /// <summary>What it waits for.</summary>
    public required WaitReason Reason { get; init; }

    /// <summary>The same for people, with what to do.</summary>
    public required string Text { get; init; }

    /// <summary>Jobs of its queue that are taken before it, counted up to 100,000; absent unless it is ready.</summary>
    public long? Before { get; init; }

    /// <summary>Live workers that serve its queue.</summary>
    public required int Workers { get; init; }

    /// <summary>Their slots.</summary>
    public required int Slots { get; init; }

    /// <summary>When it will start: its time, or an estimate from the jobs before it, their mean run seconds and the slots. Absent where nobody can tell.</summary>
    public DateTime? StartsAt { get; init; }
}
