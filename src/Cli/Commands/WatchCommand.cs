using System.CommandLine;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>watch</c>: follows a job to its end.</summary>
internal static class WatchCommand
{
    public static Command Create()
    {
        var id = new Argument<Guid>("ID") { Description = "The job." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("watch", "Follow a job to its end, with a live progress bar. Exit code 1 when it does not succeed.") { id, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            return await FollowAsync(client, parsed.GetRequiredValue(id), parsed.GetValue(json), stop);
        });
        return command;
    }

    /// <returns>The exit code.</returns>
    public static async Task<int> FollowAsync(QueueScaleClient client, Guid id, bool json, CancellationToken stop)
    {
        var snapshots = JobWatch.FollowAsync(client, id, stop);
        var job = json ? await JobWatch.EndOfAsync(snapshots) : await JobProgressBar.ShowAsync(snapshots);
        if (json) Print.Json(job);
        else Console.Out.WriteLine($"{job.Id} {JobText.Ended(job)}");
        return job.State == JobState.Succeeded ? 0 : 1;
    }
}
