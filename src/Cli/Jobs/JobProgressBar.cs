using System.Diagnostics;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;
using Spectre.Console;

namespace QueueScale.Cli.Jobs;

/// <summary>Shows a job until it is final: a live bar on a terminal, else a line for each change of state and one now and then for progress.</summary>
internal static class JobProgressBar
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(2);

    /// <returns>The final job.</returns>
    public static Task<Job> ShowAsync(IAsyncEnumerable<JobSnapshot> job) => Console.IsOutputRedirected ? ShowLinesAsync(job) : ShowBarAsync(job);

    private static async Task<Job> ShowBarAsync(IAsyncEnumerable<JobSnapshot> snapshots)
    {
        Job? final = null;
        var rate = new ProgressRate();
        await AnsiConsole.Progress()
            .Columns(new SpinnerColumn(), new ProgressBarColumn { Width = 32 }, new PercentageColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(async display =>
            {
                var bar = display.AddTask("looking it up", maxValue: 100);
                var before = "";
                await foreach (var now in snapshots)
                {
                    var standing = JobText.Standing(now);
                    if (standing != before) AnsiConsole.MarkupLineInterpolated($"[grey]{DateTime.Now:HH:mm:ss}[/] {now.Job.Type}: {standing}");
                    before = standing;
                    bar.Value = now.Job.State == JobState.Succeeded ? 100 : now.Job.Progress?.Percent ?? bar.Value;
                    bar.IsIndeterminate = now.Job is { State: JobState.Running, Progress.Percent: null };
                    bar.Description = Markup.Escape(rate.Describe(now) is { Length: > 0 } text ? text : Print.Word(now.Job.State));
                    final = now.Job;
                }
                bar.StopTask();
            });
        return final!;
    }

    private static async Task<Job> ShowLinesAsync(IAsyncEnumerable<JobSnapshot> snapshots)
    {
        Job? final = null;
        var rate = new ProgressRate();
        var before = "";
        var silent = Stopwatch.StartNew();
        await foreach (var now in snapshots)
        {
            final = now.Job;
            var standing = JobText.Standing(now);
            var text = rate.Describe(now);
            if (now.IsFinal || (standing == before && silent.Elapsed < BetweenLines)) continue;
            Console.Out.WriteLine($"{now.Job.Type}: {standing} {JobText.Progress(now.Job)} {text}".TrimEnd());
            before = standing;
            silent.Restart();
        }
        return final!;
    }
}
