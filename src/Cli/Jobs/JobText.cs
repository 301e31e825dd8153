using System.Globalization;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>A job in words.</summary>
internal static class JobText
{
    /// <summary>How far it is: <c>43 %</c>, <c>1,200 done</c>.</summary>
    public static string Progress(Job job) => job.Progress switch
    {
        { Percent: { } percent } => string.Create(CultureInfo.InvariantCulture, $"{percent:0} %"),
        { } progress => $"{Print.Number(progress.Done)} done",
        null => "",
    };

    /// <summary>Where it stands.</summary>
    public static string Standing(JobSnapshot now) => now.Job.State switch
    {
        JobState.Running => $"running on {now.Current?.Worker ?? "a worker"}",
        JobState.Queued when now.Runs.Count > 0 => $"queued again: {Ending(now.Runs[^1])}",
        JobState.Queued => $"queued in {now.Job.Queue}",
        JobState.Scheduled or JobState.Retrying => $"{Print.Word(now.Job.State)}, not before {now.Job.RunAt:HH:mm:ss} UTC{Error(now.Job)}",
        var final => Print.Word(final),
    };

    /// <summary>How it ended, with its result or error.</summary>
    public static string Ended(Job job)
    {
        var took = job.FinishedAt - job.CreatedAt is { } span ? $" after {Print.Short(span)}" : "";
        var handovers = job.Interruptions + job.Crashes is > 0 and var count ? $", handed over {count} {(count == 1 ? "time" : "times")}" : "";
        var result = job.Result is { } value ? $"\n{value.GetRawText()}" : "";
        return $"{Print.Word(job.State)}{took}{handovers}{Error(job)}{result}";
    }

    private static string Error(Job job) => job.Error is { } error ? $": {error.Message} ({error.Code})" : "";

    private static string Ending(Run run) => $"{run.Worker} {(run.How is { } how ? Print.Word(how) : "ended")}";
}
