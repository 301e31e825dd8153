namespace QueueScale.Contracts;

/// <summary>A job type's handler. One class is one job type; name it with <see cref="JobTypeAttribute"/>.</summary>
/// <typeparam name="TInput">What a submission's <c>input</c> must look like. Its JSON schema is derived from this type.</typeparam>
/// <typeparam name="TResult">What the job's <c>result</c> looks like.</typeparam>
public interface IJob<TInput, TResult>
{
    /// <summary>Does the work of one run, from the last checkpoint on.</summary>
    /// <param name="input">The job's input, as submitted.</param>
    /// <param name="run">This run: its checkpoint to begin from, and where to save the next one.</param>
    /// <param name="stop">Fires when the run must end now: cancelled, timed out, lease lost, or the drain budget is over. A polite stop comes
    /// earlier and by itself, at the next checkpoint.</param>
    /// <returns>The result, stored as JSON.</returns>
    /// <remarks>Throw <see cref="JobFailed"/> to give up for good and <see cref="RetryLater"/> to snooze. Anything else that is thrown uses up an
    /// attempt, and the job is retried with backoff. Runs are at-least-once: what must happen exactly once goes into a transactional checkpoint.</remarks>
    Task<TResult> RunAsync(TInput input, JobRun run, CancellationToken stop);
}

/// <summary>Names a job type and its defaults.</summary>
/// <param name="name">The name that submissions use, such as <c>csv.import</c>: letters, digits, '.', '-' and '_', at most 100.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public sealed class JobTypeAttribute(string name) : Attribute
{
    /// <summary>The name that submissions use.</summary>
    public string Name { get; } = name;

    /// <summary>The queue of its jobs, unless the submission names another. Default <c>default</c>.</summary>
    public string Queue { get; init; } = "default";

    /// <summary>Tries that may fail before the job is given up, 1 to 100. Interruptions and crashes do not count. Default 3.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>How long one run may take, as <c>hh:mm:ss</c> or <c>d.hh:mm:ss</c>. Empty: no limit.</summary>
    public string Timeout { get; init; } = "";
}
