using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>What a client asked of the API.</summary>
public enum Operation
{
    /// <summary>Submit one job; a batch is written as one call for each of its jobs.</summary>
    Submit,

    /// <summary>Cancel a job.</summary>
    Cancel,

    /// <summary>Run a final job again.</summary>
    Retry,

    /// <summary>Look at a job.</summary>
    Read,
}

/// <summary>The beginning of a call, or how it ended.</summary>
public enum Phase
{
    /// <summary>The call begins.</summary>
    Invoke,

    /// <summary>It was done.</summary>
    Ok,

    /// <summary>It was surely not done: a refusal such as 409, 422 or 429.</summary>
    Fail,

    /// <summary>It was done or not: a time-out, a reset, a 503 that says so. A call without an end counts as this too.</summary>
    Info,
}

/// <summary>One line of a client's history: a call begins or ends. Each event says what is known by then.</summary>
public sealed record ClientEvent
{
    /// <summary>Pairs the beginning of a call with its end; unique in a history.</summary>
    public required long Call { get; init; }

    /// <summary>Beginning, or kind of end.</summary>
    public required Phase Phase { get; init; }

    /// <summary>What is asked.</summary>
    public required Operation Operation { get; init; }

    /// <summary>When, by the client's wall clock, UTC.</summary>
    public required DateTime At { get; init; }

    /// <summary>The job; of a submission once it is known.</summary>
    public Guid? Job { get; init; }

    /// <summary>A word of the client's own, sent as one of the job's tags, by which an unanswered submission is recognised in the database. Calls that
    /// repeat a submission under the same idempotency key repeat its token; other calls do not.</summary>
    public string? Token { get; init; }

    /// <summary>How many steps the submitted job's handler notes in the ledger: 1 to this. Null where it keeps none.</summary>
    public int? Steps { get; init; }

    /// <summary>The state that was shown, by a read or by the answer to anything else.</summary>
    public JobState? State { get; init; }

    /// <summary>The version of the row that was shown: the lower half of the number of the transaction that wrote it.</summary>
    public long? Version { get; init; }

    /// <summary>Who is shown it, one call after the other: what one observer is shown must not go backwards.</summary>
    public string? Observer { get; init; }

    /// <summary>For people: status code, exception.</summary>
    public string? Detail { get; init; }
}
