using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>queues</c>: what waits and runs; pauses and resumes.</summary>
internal static class QueuesCommand
{
    public static Command Create()
    {
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("queues", "List the queues and what is in them.")
        {
            json,
            Switching("pause", "Pause a queue: what runs goes on, no further job of it starts, submissions wait.", (client, queue, stop) => client.PauseQueueAsync(queue, stop)),
            Switching("resume", "Resume a paused queue: its jobs go on in their order.", (client, queue, stop) => client.ResumeQueueAsync(queue, stop)),
        };
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
                    ["QUEUE", "READY", "RUNNING", "WAITING", "OLDEST", "DRAINS IN", "WORKERS", "STATE"],
                    queues.Items.Select(queue => new[]
                    {
                        queue.Name, Print.Number(queue.Ready), Print.Number(queue.Running), Print.Number(queue.Waiting),
                        Print.Short(TimeSpan.FromSeconds(queue.OldestSeconds)), Print.Short(TimeSpan.FromSeconds(queue.DrainSeconds)), $"{queue.Workers}", queue.Paused ? "paused" : "open",
                    }));
            }
            return 0;
        });
        return command;
    }

    private static Command Switching(string name, string description, Func<QueueScaleClient, string, CancellationToken, Task<QueueInfo>> call)
    {
        var queue = new Argument<string>("NAME") { Description = "The queue." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command(name, description) { queue, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var now = await call(client, parsed.GetRequiredValue(queue), stop);
            if (parsed.GetValue(json)) Print.Json(now);
            else Console.Out.WriteLine($"{now.Name} is {(now.Paused ? "paused" : "open")}: {Print.Number(now.Ready)} ready, {Print.Number(now.Running)} running, {Print.Number(now.Waiting)} later.");
            return 0;
        });
        return command;
    }
}
