using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>A job and its runs, as they stood together.</summary>
internal sealed record JobSnapshot(Job Job, IReadOnlyList<Run> Runs)
{
    /// <summary>The run under way.</summary>
    public Run? Current => Job.State == JobState.Running ? Runs.LastOrDefault(run => run.EndedAt is null) : null;

    public bool IsFinal => Job.State.IsFinal();
}
