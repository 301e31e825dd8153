using System.Text.Json;
using Npgsql;
using QueueScale.Client;
using QueueScale.Contracts;
using QueueScale.Local;
using QueueScale.Store;
using Xunit;

namespace QueueScale.Tests;

/// <summary>A database and a vhost of a test class's own, and the processes that it starts on them.</summary>
public sealed class Stage(Servers servers) : IAsyncLifetime
{
    public const string Key = "qs_key-of-the-tests-0123456789";

    private readonly string name = Servers.NewName();
    private readonly List<HostProcess> hosts = [];
    private readonly List<QueueScaleClient> clients = [];

    public Servers Servers => servers;

    public string Postgres { get; private set; } = "";

    public string RabbitMq { get; private set; } = "";

    /// <summary>Redis, for those who ask for it: an API of a stage has none unless it is told. It is shared, which ids of jobs are not.</summary>
    public string Redis => servers.All.RedisConnectionString ?? throw new LocalProblem("Redis is not installed here. On Debian or Ubuntu: apt-get install redis-server");

    /// <summary>The vhost's name.</summary>
    public string Vhost => name;

    /// <summary>PostgreSQL as PostgreSQL sees it, for looking behind the curtain.</summary>
    public NpgsqlDataSource Sql { get; private set; } = null!;

    /// <summary>Logs and data of the processes: the servers' own folder, so that whatever ends or sweeps the servers ends these too.</summary>
    public RunFolder Folder => servers.All.Folder;

    /// <summary>Where <c>file:</c> sources are found.</summary>
    public string DataRoot => Directory.CreateDirectory(Path.Combine(Folder.FullPath, "data")).FullName;

    public async ValueTask InitializeAsync()
    {
        Postgres = await servers.NewDatabaseAsync(name);
        await servers.All.Rabbit.CreateVhostAsync(name);
        RabbitMq = servers.All.RabbitMqUri(name);
        Sql = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Postgres) { MaxPoolSize = 8, CommandTimeout = 120 });
    }

    public async ValueTask DisposeAsync()
    {
        await StopAllAsync();
        await Sql.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await servers.All.Postgres.DropDatabaseAsync(name);
        await servers.All.Rabbit.DeleteVhostAsync(name);
    }

    /// <summary>Begins anew: no process, no job, no message.</summary>
    public async Task ResetAsync()
    {
        await StopAllAsync();
        await ForgetJobsAsync();
        await servers.All.Rabbit.StartAsync();
        await servers.All.Rabbit.DeleteVhostAsync(name);
        await servers.All.Rabbit.CreateVhostAsync(name);
    }

    /// <summary>Deletes every job, worker, count, schedule and request in bulk.</summary>
    public Task ForgetJobsAsync() => ExecuteAsync("truncate jobs, runs, queue_counts, lanes, queues, workers, schedules, schedule_ticks, bulk_requests");

    /// <summary>Kills every process that was started here, and waits for their ends.</summary>
    public async Task StopAllAsync()
    {
        foreach (var client in clients)
        {
            client.Dispose();
        }

        clients.Clear();
        foreach (var host in hosts)
        {
            host.Process.Signal(Signal.Kill);
            await host.Process.WaitForExitAsync();
        }

        hosts.Clear();
    }

    /// <summary>The pools of a process that is not there.</summary>
    public Database NewDatabase() => new(Postgres, "test");

    /// <summary>Starts an API and waits until it is ready. The program is a project of this checkout or the path of a dll.</summary>
    public async Task<HostProcess> StartApiAsync(string called = "api", string program = HostProcess.Api, params (string Key, string? Value)[] settings)
    {
        var api = await BeginApiAsync(called, program, settings);
        await api.WaitUntilReadyAsync();
        return api;
    }

    /// <summary>Starts an API and does not wait.</summary>
    public Task<HostProcess> BeginApiAsync(string called = "api", string program = HostProcess.Api, params (string Key, string? Value)[] settings)
    {
        var all = HostSettings.OfApi(Postgres, RabbitMq, Key);
        return BeginAsync(called, program, all, settings);
    }

    /// <summary>Starts a worker with the probes and waits until it is ready.</summary>
    public async Task<HostProcess> StartWorkerAsync(string called, string program = HostProcess.Worker, params (string Key, string? Value)[] settings)
    {
        var worker = await BeginWorkerAsync(called, program, settings);
        await worker.WaitUntilReadyAsync();
        return worker;
    }

    /// <summary>Starts a worker with the probes and does not wait.</summary>
    public Task<HostProcess> BeginWorkerAsync(string called, string program = HostProcess.Worker, params (string Key, string? Value)[] settings) =>
        BeginAsync(called, program, HostSettings.OfWorker(Postgres, RabbitMq, called, DataRoot), settings);

    /// <summary>A client of an API.</summary>
    public QueueScaleClient Client(HostProcess api, string key = Key)
    {
        var client = new QueueScaleClient(api.Url, key);
        clients.Add(client);
        return client;
    }

    /// <summary>The log of the process that was started under that name.</summary>
    public string LogOf(string called) => Path.Combine(Folder.Logs, $"{name}-{called}.log");

    /// <summary>The last warnings and errors of each process, for the story of a test that failed.</summary>
    public string Complaints() => string.Join(Environment.NewLine, hosts.SelectMany(host => File.ReadLines(host.Process.LogPath)
        .Where(line => line.Contains("\"Level\":\"Warning\"", StringComparison.Ordinal) || line.Contains("\"Level\":\"Error\"", StringComparison.Ordinal))
        .TakeLast(10)
        .Select(line => JsonElement.Parse(line))
        .Select(line => $"{host.Name} {line.GetProperty("Timestamp")} {line.GetProperty("RenderedMessage")}")));

    /// <summary>The first column of a query's rows.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Sql.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.GetFieldValue<T>(0));
        }

        return rows;
    }

    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters) => (await QueryAsync<T>(sql, parameters))[0];

    /// <summary>Waits until nobody but who asks is connected to PostgreSQL: what a session has done is surely in the statistics when it has ended.</summary>
    public Task SessionsEndAsync()
    {
        Sql.Clear(); // these have counted, too
        return Waiting.UntilAsync(async () => await ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()") == 0);
    }

    /// <summary>How many there were in this database, once all sessions have ended.</summary>
    public async Task<long> DeadlocksAsync()
    {
        await SessionsEndAsync();
        return await ScalarAsync<long>("select deadlocks from pg_stat_database where datname = current_database()");
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Sql.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<HostProcess> BeginAsync(string called, string program, Dictionary<string, string?> all, (string Key, string? Value)[] settings)
    {
        foreach (var (key, value) in settings)
        {
            all[key] = value;
        }

        var host = await HostProcess.StartAsync(Folder, $"{name}-{called}", program.EndsWith(".dll", StringComparison.Ordinal) ? program : Checkout.ProgramOf(program), all);
        lock (hosts) // several may be started at once
        {
            hosts.Add(host);
        }

        return host;
    }
}

/// <summary>Short forms of waiting, each with an end.</summary>
public static class Waiting
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Waits until a job's state satisfies the condition.</summary>
    public static async Task<Job> WaitForAsync(this QueueScaleClient client, Guid job, Func<Job, bool> condition, TimeSpan? patience = null)
    {
        Job? last = null;
        await UntilAsync(async () => condition(last = await client.GetJobAsync(job)), () => $"the job is {last?.State} (attempt {last?.Attempt}, {last?.Error?.Message})", patience);
        return last!;
    }

    /// <summary>Waits until a job is final.</summary>
    public static Task<Job> WaitForEndAsync(this QueueScaleClient client, Guid job, TimeSpan? patience = null) => client.WaitForAsync(job, j => j.State.IsFinal(), patience);

    /// <summary>Looks again and again until the condition holds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? otherwise = null, TimeSpan? patience = null)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(begun) > (patience ?? Patience))
            {
                Assert.Fail($"Not within {patience ?? Patience}: {otherwise?.Invoke()}{Environment.NewLine}{(await TestContext.Current.GetFixture<Stage>())?.Complaints()}");
            }

            await Task.Delay(20);
        }
    }
}
