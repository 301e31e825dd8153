using System.CommandLine;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>queues</c>: what waits and runs.</summary>
internal static class QueuesCommand
{
    public static Command Create()
    {
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("queues", "List the queues and what is in them.") { json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var queues = await client.GetQueuesAsync(stop);
            if (parsed.GetValue(json)) Print.Json(queues);
            else if (queues.Items.Count == 0) Console.Out.WriteLine("No queues yet: neither a worker nor a job has named one.");
            else
            {
                Print.Table(
                    ["QUEUE", "READY", "RUNNING", "WAITING", "OLDEST", "DRAINS IN", "WORKERS"],
                    queues.Items.Select(queue => new[]
                    {
                        queue.Name, Print.Number(queue.Ready), Print.Number(queue.Running), Print.Number(queue.Waiting),
                        Print.Short(TimeSpan.FromSeconds(queue.OldestSeconds)), Print.Short(TimeSpan.FromSeconds(queue.DrainSeconds)), $"{queue.Workers}",
                    }));
            }
            return 0;
        });
        return command;
    }
}
