using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace QueueScale.Local;

/// <summary>The three servers of docker-compose.yml alone, in containers of a run folder's own: on the ports and with the passwords that the folder remembers.</summary>
internal sealed class ComposeServers(RunFolder folder)
{
    private static readonly string[] Servers = ["postgres", "rabbitmq", "redis"];
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(20);

    private string Project => $"queuescale-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder.FullPath)))[..8]}";

    /// <summary>Whether a Docker engine with compose answers in time.</summary>
    public static async Task<bool> CanRunAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(AnswerPatience);
        try
        {
            return (await ProgramRun.RunAsync(["docker", "compose", "version"], cancellation: limit.Token)).Succeeded && (await ProgramRun.RunAsync(["docker", "info"], cancellation: limit.Token)).Succeeded;
        }
        catch (Exception error) when (error is LocalProblem or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Starts what does not run, and returns when all are healthy.</summary>
    public async Task StartAsync(Tell? tell, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var running = await ComposeAsync(["ps", "--quiet"], cancellation) != "";
        foreach (var port in (string[])[PostgresServer.ProcessName, RabbitServer.ProcessName, RabbitServer.ManagementPort, RedisServer.ProcessName])
        {
            if (!running) folder.Remembered.FreePortFor(port); // else it is their own
        }
        foreach (var secret in (string[])[PostgresServer.ProcessName, RabbitServer.ProcessName, RedisServer.ProcessName]) folder.Remembered.Secret(secret);

        await ComposeAsync(["up", "--detach", "--wait", .. Servers], cancellation);
        var servers = LocalServers.Of(folder);
        tell?.Invoke("containers", $"PostgreSQL on 127.0.0.1:{servers.Postgres.Port}, RabbitMQ on 127.0.0.1:{servers.Rabbit.Port} and Redis are healthy after {clock.Elapsed.TotalSeconds:0.0} s");
    }

    /// <summary>Ends them, and with <paramref name="wipe"/> deletes their data.</summary>
    public async Task StopAsync(bool wipe, Tell? tell)
    {
        var clock = Stopwatch.StartNew();
        await ComposeAsync(["down", .. wipe ? (string[])["--volumes"] : []], CancellationToken.None);
        tell?.Invoke("containers", $"ended in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    private Task<string> ComposeAsync(string[] arguments, CancellationToken cancellation)
    {
        string Port(string name) => folder.Remembered.KnownPort(name)?.ToString(CultureInfo.InvariantCulture) ?? "0";
        string Secret(string name) => folder.Remembered.KnownSecret(name) ?? "-";

        var settings = new Dictionary<string, string?>
        {
            ["POSTGRES_PORT"] = Port(PostgresServer.ProcessName),
            ["POSTGRES_PASSWORD"] = Secret(PostgresServer.ProcessName),
            ["RABBITMQ_PORT"] = Port(RabbitServer.ProcessName),
            ["RABBITMQ_PAGE_PORT"] = Port(RabbitServer.ManagementPort),
            ["RABBITMQ_PASSWORD"] = Secret(RabbitServer.ProcessName),
            ["RABBITMQ_VHOST"] = RabbitServer.DefaultVhost,
            ["REDIS_PORT"] = Port(RedisServer.ProcessName),
            ["REDIS_PASSWORD"] = Secret(RedisServer.ProcessName),
            ["QUEUESCALE_API_KEY"] = "-", // asked for by services that are not started
            ["COMPOSE_PROFILES"] = "",
        };
        return Docker.ComposeAsync(["--project-name", Project, .. arguments], cancellation, settings);
    }
}
