using Npgsql;
using QueueScale.Client;
using QueueScale.Local;

namespace QueueScale.Bench;

/// <summary>Private servers with a fresh database, and the processes that a measurement starts on them.</summary>
internal sealed class Ground : IAsyncDisposable
{
    public const string Key = "qs_key-of-the-benchmarks-0123456789";

    private readonly List<HostProcess> hosts = [];
    private readonly RunFolder folder;
    private int names;

    private Ground(RunFolder folder, LocalServers servers)
    {
        this.folder = folder;
        Servers = servers;
        Sql = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(servers.PostgresConnectionString()) { CommandTimeout = 300 });
    }

    public LocalServers Servers { get; }

    public NpgsqlDataSource Sql { get; }

    public string DataRoot => Directory.CreateDirectory(folder.DataRoot).FullName;

    public static async Task<Ground> StartAsync(Tell tell)
    {
        var folder = RunFolder.OfCheckout.Below("bench");
        var ground = new Ground(folder, await LocalServers.StartAsync(folder, tell));
        await ground.ResetAsync();
        return ground;
    }

    /// <summary>Stops the processes and empties the database.</summary>
    public async Task ResetAsync()
    {
        await StopHostsAsync();
        await using (var command = Sql.CreateCommand("drop schema if exists imports cascade; drop schema public cascade; create schema public"))
        {
            await command.ExecuteNonQueryAsync();
        }

        await Servers.Rabbit.DeleteVhostAsync(RabbitServer.DefaultVhost);
        await Servers.Rabbit.CreateVhostAsync(RabbitServer.DefaultVhost);
        var migrate = await LocalProcess.StartAsync(folder, new ProgramStart("migrate", "dotnet", Checkout.ProgramOf(HostProcess.Api), "migrate")
        {
            Environment = HostSettings.Of(Servers.PostgresConnectionString(), Servers.RabbitMqUri()),
        });
        if (await migrate.WaitForExitAsync() is not 0)
        {
            throw new InvalidOperationException($"migrate failed:\n{migrate.LastLines()}");
        }
    }

    public async Task StopHostsAsync(HostProcess? except = null)
    {
        foreach (var host in hosts.Where(host => host != except))
        {
            await host.Process.KillAsync();
        }

        hosts.RemoveAll(host => host != except);
    }

    /// <summary>Deletes every job.</summary>
    public async Task ForgetJobsAsync()
    {
        await using var command = Sql.CreateCommand("truncate jobs, runs, queue_counts, lanes");
        await command.ExecuteNonQueryAsync();
    }

    public Task<HostProcess> StartApiAsync(params IEnumerable<KeyValuePair<string, string?>> more)
    {
        var settings = HostSettings.OfApi(Servers.PostgresConnectionString(), Servers.RabbitMqUri(), Key);
        return StartAsync($"api-{Interlocked.Increment(ref names)}", HostProcess.Api, new(settings.Concat(more)));
    }

    public Task<HostProcess> StartWorkerAsync(params IEnumerable<KeyValuePair<string, string?>> more)
    {
        var name = $"worker-{Interlocked.Increment(ref names)}";
        var settings = HostSettings.OfWorker(Servers.PostgresConnectionString(), Servers.RabbitMqUri(), name, DataRoot);
        return StartAsync(name, HostProcess.Worker, new(settings.Concat(more)));
    }

    public Task<HostProcess> StartEchoAsync() => StartAsync("echo", "QueueScale.Bench.Echo", []);

    public static QueueScaleClient Client(HostProcess api) => new(api.Url, Key);

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Sql.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async Task UntilAsync(string sql, TimeSpan patience)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (!await ScalarAsync<bool>(sql))
        {
            if (TimeProvider.System.GetElapsedTime(begun) > patience)
            {
                throw new TimeoutException($"Not within {patience}: {sql}");
            }

            await Task.Delay(50);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopHostsAsync();
        await Sql.DisposeAsync();
        await Servers.StopAsync();
    }

    private async Task<HostProcess> StartAsync(string name, string program, Dictionary<string, string?> settings)
    {
        var host = await HostProcess.StartAsync(folder, name, Checkout.ProgramOf(program), settings);
        hosts.Add(host);
        await host.WaitUntilReadyAsync();
        return host;
    }
}
