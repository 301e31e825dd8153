using System.CommandLine;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>retry</c>: runs a failed or cancelled job again, or all that fit.</summary>
internal static class RetryCommand
{
    public static Command Create()
    {
        var bulk = new BulkCall();
        var start = new Option<bool>("--from-start") { Description = "Without checkpoints: what earlier runs have done is done again." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("retry", "Run a failed or cancelled job again, or all failed ones that fit, from the checkpoint, with all attempts anew.") { start, json };
        bulk.AddTo(command);
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (id, filter) = bulk.Read(parsed);
            var fromStart = parsed.GetValue(start);
            using var client = target.Connect(parsed);
            if (filter is not null)
            {
                return await bulk.RunAsync(parsed, parsed.GetValue(json), "run again", () => client.CountRetryJobsAsync(filter, stop), rate => client.RetryJobsAsync(filter, fromStart, rate, stop));
            }

            var job = await client.RetryAsync(id!.Value, fromStart, stop);
            if (parsed.GetValue(json)) Print.Json(job);
            else Console.Out.WriteLine($"{job.Id} is {Print.Word(job.State)} again.");
            return 0;
        });
        return command;
    }
}
