using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>cancel</c>: ends a job that is not final yet.</summary>
internal static class CancelCommand
{
    public static Command Create()
    {
        var id = new Argument<Guid>("ID") { Description = "The job." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("cancel", "Cancel a job. One that runs ends within seconds. Exit code 1 when it is final already.") { id, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var job = await client.CancelAsync(parsed.GetRequiredValue(id), stop);
            if (parsed.GetValue(json)) Print.Json(job);
            else Console.Out.WriteLine(job.State == JobState.Cancelled ? $"{job.Id} is cancelled." : $"{job.Id} will be cancelled; it is still {Print.Word(job.State)}.");
            return 0;
        });
        return command;
    }
}
