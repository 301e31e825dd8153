using System.CommandLine;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>retry</c>: runs a failed or cancelled job again.</summary>
internal static class RetryCommand
{
    public static Command Create()
    {
        var id = new Argument<Guid>("ID") { Description = "The job." };
        var start = new Option<bool>("--from-start") { Description = "Without its checkpoint: what its earlier runs have done is done again." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("retry", "Run a failed or cancelled job again, from its checkpoint, with all its attempts anew.") { id, start, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var job = await client.RetryAsync(parsed.GetRequiredValue(id), parsed.GetValue(start), stop);
            if (parsed.GetValue(json)) Print.Json(job);
            else Console.Out.WriteLine($"{job.Id} is {Print.Word(job.State)} again.");
            return 0;
        });
        return command;
    }
}
