using System.CommandLine;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>cancel</c>: ends a job that is not final yet, or all that fit.</summary>
internal static class CancelCommand
{
    public static Command Create()
    {
        var bulk = new BulkCall();
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("cancel", "Cancel a job, or all that fit. One that runs ends within seconds. Exit code 1 when a single one is final already.") { json };
        bulk.AddTo(command);
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            var (id, filter) = bulk.Read(parsed);
            using var client = target.Connect(parsed);
            if (filter is not null)
            {
                return await bulk.RunAsync(parsed, parsed.GetValue(json), "cancelled", () => client.CountCancelJobsAsync(filter, stop), rate => client.CancelJobsAsync(filter, rate, stop));
            }

            var job = await client.CancelAsync(id!.Value, stop);
            if (parsed.GetValue(json)) Print.Json(job);
            else Console.Out.WriteLine(job.State == JobState.Cancelled ? $"{job.Id} is cancelled." : $"{job.Id} will be cancelled; it is still {Print.Word(job.State)}.");
            return 0;
        });
        return command;
    }
}
