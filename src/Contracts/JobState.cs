namespace QueueScale.Contracts;

/// <summary>Where a job stands. The last three are final.</summary>
/// <remarks>The numbers are stored in PostgreSQL; 4 is kept for jobs that wait for a limit.</remarks>
public enum JobState : short
{
    /// <summary>Waits for its time.</summary>
    Scheduled = 0,

    /// <summary>Waits for a worker.</summary>
    Queued = 1,

    /// <summary>A worker runs it.</summary>
    Running = 2,

    /// <summary>Waits for its next attempt.</summary>
    Retrying = 3,

    /// <summary>Done, with a result.</summary>
    Succeeded = 5,

    /// <summary>Given up; these jobs are the dead-letter list.</summary>
    Failed = 6,

    /// <summary>Ended by a cancel request.</summary>
    Cancelled = 7,
}

/// <summary>The one table of moves between <see cref="JobState"/>s. What is not in it never happens.</summary>
public static class JobMoves
{
    private static readonly Dictionary<JobState, JobState[]> Table = new()
    {
        [JobState.Scheduled] = [JobState.Queued, JobState.Cancelled],
        [JobState.Queued] = [JobState.Running, JobState.Retrying, JobState.Cancelled],
        [JobState.Running] = [JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.Retrying, JobState.Queued],
        [JobState.Retrying] = [JobState.Queued, JobState.Cancelled],
        [JobState.Succeeded] = [],
        [JobState.Failed] = [],
        [JobState.Cancelled] = [],
    };

    /// <summary>The states that a job can move to from <paramref name="state"/>; none from a final one.</summary>
    public static IReadOnlyList<JobState> From(JobState state) => Table[state];

    /// <summary>Whether a job may move from <paramref name="from"/> to <paramref name="to"/>.</summary>
    public static bool Allows(JobState from, JobState to) => Table[from].Contains(to);

    /// <summary>Whether a job in <paramref name="state"/> never moves again.</summary>
    public static bool IsFinal(this JobState state) => Table[state].Length == 0;
}
