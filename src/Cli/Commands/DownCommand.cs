using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>down</c>: ends what <c>up</c> started.</summary>
internal static class DownCommand
{
    public static Command Create()
    {
        var wipe = new Option<bool>("--wipe") { Description = "Also delete all data, settings and logs." };
        var json = Print.JsonOption();

        var command = new Command("down", "Stop the workers, the API, RabbitMQ and PostgreSQL that `up` started.") { wipe, json };
        command.SetAction(async (parsed, stop) =>
        {
            var system = new LocalSystem(RunFolder.OfCheckout);
            var tell = Print.Steps(parsed.GetValue(json));
            var wiped = parsed.GetValue(wipe);
            if (system.Folder.Exists) await system.DownAsync(wiped, tell, stop);
            else tell("down", "nothing runs here");
            if (parsed.GetValue(json)) Print.Json(new { Down = true, Wiped = wiped });
            return 0;
        });
        return command;
    }
}
