using System.Text.Json;

namespace QueueScale.Contracts;

/// <summary>Which jobs of a queue go first.</summary>
public enum JobPriority
{
    /// <summary>The normal lane.</summary>
    Normal,

    /// <summary>The front lane: before all normal jobs but every eighth.</summary>
    High,
}

/// <summary>A job as the API shows it. Times are UTC; absent members have no value yet.</summary>
public sealed record Job
{
    /// <summary>UUIDv7; lists are in its order.</summary>
    public required Guid Id { get; init; }

    /// <summary>The job type.</summary>
    public required string Type { get; init; }

    /// <summary>The queue it waits in or ran from.</summary>
    public required string Queue { get; init; }

    /// <summary>Normal or high.</summary>
    public required JobPriority Priority { get; init; }

    /// <summary>Where it stands.</summary>
    public required JobState State { get; init; }

    /// <summary>What its handler last said of itself.</summary>
    public JobProgress? Progress { get; init; }

    /// <summary>The number of the attempt that runs or has succeeded, else of the attempts that failed; so 0 before the first run, and while an interrupted first one waits to go on.</summary>
    public required int Attempt { get; init; }

    /// <summary>Attempts that may fail before it is given up.</summary>
    public required int MaxAttempts { get; init; }

    /// <summary>Runs that ended because their worker drained, lost its lease, or died with several jobs of which another was likelier to be the cause; they do not count as attempts.</summary>
    public required int Interruptions { get; init; }

    /// <summary>Deaths of its worker that are put down to it; they do not count as attempts, and the third in a row without progress ends it.</summary>
    public required int Crashes { get; init; }

    /// <summary>As submitted; <c>{}</c> where none was given. Absent in lists.</summary>
    public JsonElement? Input { get; init; }

    /// <summary>What the handler returned. Absent in lists.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>Why the last attempt failed.</summary>
    public JobError? Error { get; init; }

    /// <summary>As submitted.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>As submitted. While it is not final, no other unfinished job has this key.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>When it was accepted.</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>Not before this time: a delayed job, or the next attempt.</summary>
    public DateTime? RunAt { get; init; }

    /// <summary>When its latest run began.</summary>
    public DateTime? StartedAt { get; init; }

    /// <summary>When it became final.</summary>
    public DateTime? FinishedAt { get; init; }

    /// <summary>When its last checkpoint was saved.</summary>
    public DateTime? CheckpointedAt { get; init; }

    /// <summary>Where to read on, relative to the API's address.</summary>
    public required JobLinks Links { get; init; }
}

/// <summary>How far a run is, in the units its job counts.</summary>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all, where known.</param>
/// <param name="Percent">0 to 100, where the total is known.</param>
/// <param name="Message">A short line for people.</param>
public sealed record JobProgress(long Done, long? Total = null, double? Percent = null, string? Message = null);

/// <summary>Why an attempt failed.</summary>
/// <param name="Code">Stable, for programs: one of <see cref="ErrorCodes"/> or the handler's own.</param>
/// <param name="Message">For people.</param>
public sealed record JobError(string Code, string Message);

/// <summary>Addresses of a job.</summary>
/// <param name="Self">The job.</param>
/// <param name="Runs">Its runs.</param>
/// <param name="Cancel">Where to POST to cancel it.</param>
/// <param name="Events">What happens to it, as it happens; absent from older APIs.</param>
/// <param name="Retry">Where to POST to run it again, once it has failed or was cancelled; absent from older APIs.</param>
public sealed record JobLinks(string Self, string Runs, string Cancel, string? Events = null, string? Retry = null)
{
    /// <summary>The addresses of one job.</summary>
    public static JobLinks Of(Guid id) => new($"/v1/jobs/{id}", $"/v1/jobs/{id}/runs", $"/v1/jobs/{id}/cancel", $"/v1/jobs/{id}/events", $"/v1/jobs/{id}/retry");
}

/// <summary>One page of a list.</summary>
/// <param name="Items">The page. It may hold fewer than were asked for, also none, although another one follows: only so many are looked at for one page.</param>
/// <param name="Next">The relative address of the next page; absent on the last.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next = null);

/// <summary>How a run ended.</summary>
public enum RunEnding
{
    /// <summary>Returned its result.</summary>
    Succeeded,

    /// <summary>The handler failed.</summary>
    Failed,

    /// <summary>Its worker drained, or took it and could not start it; it was put back.</summary>
    Interrupted,

    /// <summary>Its worker died.</summary>
    Crashed,

    /// <summary>Its worker lost it: cut off, or it never learned that the run was its own.</summary>
    Lost,

    /// <summary>Its job was cancelled.</summary>
    Cancelled,

    /// <summary>It ran longer than the job's timeout.</summary>
    TimedOut,

    /// <summary>The handler asked to run again later.</summary>
    Snoozed,
}

/// <summary>One run of a job: one claim to its end.</summary>
public sealed record Run
{
    /// <summary>1 for the first run; the number that fences its writes.</summary>
    public required int Epoch { get; init; }

    /// <summary>The name of the worker process that ran it.</summary>
    public required string Worker { get; init; }

    /// <summary>When it began.</summary>
    public required DateTime StartedAt { get; init; }

    /// <summary>When it ended; absent while it runs.</summary>
    public DateTime? EndedAt { get; init; }

    /// <summary>How it ended; absent while it runs.</summary>
    public RunEnding? How { get; init; }

    /// <summary>What went wrong.</summary>
    public JobError? Error { get; init; }

    /// <summary>The number of the checkpoint it began from; 0 for the start.</summary>
    public required int FromCheckpoint { get; init; }

    /// <summary>Seconds from the reason of the hand-over (SIGTERM received, or the dead worker's last pulse) to this run's start. Present on a run
    /// that took over from one that its worker could not finish.</summary>
    public double? HandoverSeconds { get; init; }
}

/// <summary>The answer to a batch: the ids of its jobs, in the order they were given.</summary>
/// <param name="Ids">One id a job.</param>
public sealed record BatchAccepted(IReadOnlyList<Guid> Ids);
