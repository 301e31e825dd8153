using System.CommandLine;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>init-env</c>: the settings of docker-compose.yml.</summary>
internal static class InitEnvCommand
{
    public static Command Create()
    {
        var force = new Option<bool>("--force") { Description = "Replace one that is there. Servers that have started know the old passwords only." };
        var command = new Command("init-env", "Write .env for docker compose, with fresh passwords and a fresh API key.") { force };
        command.SetAction(parsed =>
        {
            Console.Out.WriteLine($"{ComposeSettings.Write(parsed.GetValue(force))} holds the passwords and the API key (QUEUESCALE_API_KEY). Next: docker compose up -d --build --wait");
            return 0;
        });
        return command;
    }
}
