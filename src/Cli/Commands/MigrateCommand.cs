using System.CommandLine;
using System.Diagnostics;
using QueueScale.Cli.Terminal;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>migrate</c>: brings the schema of a database up to date.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var postgres = new Option<string?>("--postgres")
        {
            Description = "Npgsql connection string. Default: ConnectionStrings__Postgres, else the PostgreSQL that `up` started here.",
            HelpName = "CONNECTION",
        };
        var json = Print.JsonOption();

        var command = new Command("migrate", "Bring a database's schema up to date. Safe to run several times, also at once; `up` does it by itself.") { postgres, json };
        command.SetAction(async (parsed, stop) =>
        {
            var clock = Stopwatch.StartNew();
            var said = await LocalSystem.MigrateAsync(parsed.GetValue(postgres) ?? Default(), stop);
            if (parsed.GetValue(json)) Print.Json(new { Schema = "current", Seconds = Math.Round(clock.Elapsed.TotalSeconds, 3) });
            else Console.Out.WriteLine(said.Length > 0 ? said : $"The schema is current ({clock.Elapsed.TotalSeconds:0.0} s).");
            return 0;
        });
        return command;
    }

    private static string Default()
    {
        if (Environment.GetEnvironmentVariable("ConnectionStrings__Postgres") is { Length: > 0 } named) return named;
        var servers = LocalServers.Of(RunFolder.OfCheckout);
        return servers.HasPostgres
            ? servers.PostgresConnectionString()
            : throw new LocalProblem("No PostgreSQL runs here. Start one with ./queuescale up, or name another with --postgres CONNECTION.");
    }
}
