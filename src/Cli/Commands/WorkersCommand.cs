using System.CommandLine;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>workers</c>: the live workers; drains one.</summary>
internal static class WorkersCommand
{
    public static Command Create()
    {
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("workers", "List the live workers.") { json, Drain() };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var workers = await client.GetWorkersAsync(stop);
            if (parsed.GetValue(json)) Print.Json(workers);
            else if (workers.Items.Count == 0) Console.Out.WriteLine("No live workers. ./queuescale up --workers 2 starts two here.");
            else
            {
                Print.Table(
                    ["NAME", "HOST", "PID", "QUEUES", "BUSY", "SLOTS", "STATE", "UP FOR", "VERSION"],
                    workers.Items.Select(worker => new[]
                    {
                        worker.Name, worker.Host, $"{worker.Pid}", string.Join(',', worker.Queues), $"{worker.Busy}", $"{worker.Slots}",
                        worker.Draining ? "draining" : "live", Print.Short(DateTime.UtcNow - worker.StartedAt), worker.Version,
                    }));
            }
            return 0;
        });
        return command;
    }

    private static Command Drain()
    {
        var name = new Argument<string>("NAME") { Description = "The worker." };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("drain", "Let a worker hand its jobs over and end, as after SIGTERM.") { name, json };
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var drained = await client.DrainWorkerAsync(parsed.GetRequiredValue(name), stop);
            if (parsed.GetValue(json)) Print.Json(drained);
            else
            {
                foreach (var worker in drained.Items) Console.Out.WriteLine($"{worker.Name} (process {worker.Pid} on {worker.Host}) drains: its {worker.Busy} jobs go on elsewhere.");
            }
            return 0;
        });
        return command;
    }
}
