namespace QueueScale.Contracts;

/// <summary>The codes that <see cref="JobError"/> carries when QueueScale itself, not the handler, names the reason.</summary>
public static class ErrorCodes
{
    /// <summary>The handler threw an exception that it did not name a code for.</summary>
    public const string HandlerFailed = "handler_failed";

    /// <summary>The run took longer than the job's timeout.</summary>
    public const string TimedOut = "timed_out";

    /// <summary>The job's workers died three times in a row during its run, without progress in between.</summary>
    public const string WorkerLost = "worker_lost";

    /// <summary>The present code of the job type cannot read the stored checkpoint. It never starts from zero silently.</summary>
    public const string CheckpointUnreadable = "checkpoint_unreadable";

    /// <summary>The present code of the job type cannot read the stored input.</summary>
    public const string InputUnreadable = "input_unreadable";

    /// <summary>The worker that took the job has no handler for its type.</summary>
    public const string UnknownType = "unknown_type";

    /// <summary>The handler's result cannot be stored: it holds text that PostgreSQL refuses, or is too large.</summary>
    public const string ResultUnstorable = "result_unstorable";
}
