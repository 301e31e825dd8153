using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>update</c>: the APIs and workers of docker compose, replaced without a failed request.</summary>
internal static class UpdateCommand
{
    public static Command Create()
    {
        var noBuild = new Option<bool>("--no-build") { Description = "Take the images that there are (QUEUESCALE_VERSION in .env names them), for example pulled ones." };
        var command = new Command("update", "Replace the APIs and workers that docker compose runs by those of this checkout: new ones come up beside the old ones, which then end one by one. No request fails, no job is lost.") { noBuild };
        command.SetAction(async (parsed, stop) =>
        {
            await new ComposeUpdate(Print.Steps(json: false), stop).RunAsync(build: !parsed.GetValue(noBuild));
            return 0;
        });
        return command;
    }
}
