namespace QueueScale.Contracts;

/// <summary>The run ends at this checkpoint because its worker drains or its job was cancelled. A handler lets it pass.</summary>
public sealed class RunStopped : Exception
{
    /// <summary>Creates one; QueueScale does.</summary>
    public RunStopped() : base("The run stops at this checkpoint. A handler lets this exception pass.") { }
}

/// <summary>The stored checkpoint cannot be read by the present code of the job type.</summary>
public sealed class CheckpointUnreadable : Exception
{
    /// <summary>Creates one; QueueScale does.</summary>
    public CheckpointUnreadable(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>Thrown by a handler to give its job up for good: no further attempt can succeed.</summary>
public sealed class JobFailed : Exception
{
    /// <summary>Gives up.</summary>
    /// <param name="message">What is wrong and what to do, for the person who reads the job.</param>
    /// <param name="code">A stable code for programs, such as <c>file_missing</c>.</param>
    public JobFailed(string message, string code = "job_failed") : base(message) => Code = code;

    /// <summary>A stable code for programs.</summary>
    public string Code { get; }
}

/// <summary>Thrown by a handler to have its job run again later, without using up an attempt.</summary>
public sealed class RetryLater : Exception
{
    /// <summary>Snoozes.</summary>
    /// <param name="after">Not before this long from now, by the database's clock; zero to 30 days.</param>
    public RetryLater(TimeSpan after) : base($"The job asked to run again after {after}.")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(after, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(after, TimeSpan.FromDays(30));
        After = after;
    }

    /// <summary>Not before this long from now.</summary>
    public TimeSpan After { get; }
}
