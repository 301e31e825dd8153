using System.Collections.Concurrent;
using Npgsql;
using QueueScale.Faults.Checker;
using QueueScale.Store;

namespace QueueScale.Faults;

/// <summary>What the suite breaks: servers, APIs and workers of its own, with a proxy on every road between them.</summary>
internal sealed class Ground : IAsyncDisposable
{
    public const string Key = "qs_key-of-the-fault-suite-0123456789";
    public const string Database = "faults";
    public const string TestApi = "QueueScale.TestApi";
    public const string TestWorker = "QueueScale.TestWorker";

    /// <summary>The queues that the workers serve.</summary>
    public static readonly string[] Queues = ["bulk", "default"];

    /// <summary>A queue that no worker serves.</summary>
    public const string Later = "later";

    /// <summary>Jobs that are not final, of those that the workers serve.</summary>
    public const string Left = """
        (select count(*) from jobs where state = 1 and queue in ('bulk', 'default')) + (select count(*) from jobs where state = 2) + (select count(*) from jobs where state in (0, 3))
        """;

    /// <summary>Short, so that a freeze past it takes little time.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(5);

    /// <summary>Short, so that workers call themselves backlogged after a fault.</summary>
    public static readonly TimeSpan MaxDrainTime = TimeSpan.FromSeconds(1);

    private readonly TestServers servers;
    private readonly List<TcpProxy> apiRoads = [];
    private readonly ConcurrentQueue<HandStart> startedByHand = [];

    private Ground(TestServers servers)
    {
        this.servers = servers;
        Sql = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(Postgres.ConnectionString(Database)) { MaxPoolSize = 4, CommandTimeout = 120, Timeout = 5 });
        PostgresFaults = new PostgresFaults(Postgres);
        BrokerFaults = new BrokerFaults(Broker);
        ApisToPostgres = TcpProxy.Start(() => Postgres.Port);
        ApisToBroker = TcpProxy.Start(() => Broker.Port);
        ApisToRedis = TcpProxy.Start(() => Redis.Port);
        WorkersToPostgres = TcpProxy.Start(() => Postgres.Port);
        WorkersToBroker = TcpProxy.Start(() => Broker.Port);
    }

    public RunFolder Folder => servers.Servers.Folder;

    public PostgresServer Postgres => servers.Servers.Postgres;

    public RabbitServer Broker => servers.Servers.Rabbit;

    public RedisServer Redis => servers.Servers.Redis;

    public PostgresFaults PostgresFaults { get; }

    public BrokerFaults BrokerFaults { get; }

    /// <summary>Codes with which a worker may end by itself: of the handlers that bring it down.</summary>
    public HashSet<int> OwnEnds { get; } = [];

    /// <summary>PostgreSQL without a proxy: the suite's own view.</summary>
    public NpgsqlDataSource Sql { get; }

    public TcpProxy ApisToPostgres { get; }

    public TcpProxy ApisToBroker { get; }

    public TcpProxy ApisToRedis { get; }

    public TcpProxy WorkersToPostgres { get; }

    public TcpProxy WorkersToBroker { get; }

    /// <summary>From the clients to each API.</summary>
    public IReadOnlyList<TcpProxy> ApiRoads => apiRoads;

    public List<Member> Apis { get; } = [];

    public List<Member> Workers { get; } = [];

    /// <summary>Members that ended in a way that nobody had asked for.</summary>
    public IReadOnlyList<HandStart> StartedByHand => [.. startedByHand];

    public string DataRoot => Directory.CreateDirectory(Folder.DataRoot).FullName;

    /// <summary>Servers with an empty database that a witness watches; no process yet.</summary>
    public static async Task<Ground> StartAsync(RunFolder folder, Tell? tell = null)
    {
        await FaultPrograms.EnsureAsync(folder, tell);
        var ground = new Ground(await TestServers.StartAsync(folder, tell));
        foreach (var log in Directory.EnumerateFiles(ground.Folder.Logs, "api-*").Concat(Directory.EnumerateFiles(ground.Folder.Logs, "worker-*")))
        {
            File.Delete(log); // of an earlier run; late writes are counted in them
        }

        await ground.ResetAsync();
        return ground;
    }

    /// <summary>Begins anew, with no process, no job and no message.</summary>
    public async Task ResetAsync()
    {
        await EndMembersAsync();
        startedByHand.Clear();
        OwnEnds.Clear();
        foreach (var proxy in (TcpProxy[])[ApisToPostgres, ApisToBroker, ApisToRedis, WorkersToPostgres, WorkersToBroker])
        {
            proxy.Switch(new ProxyMode.Pass());
        }

        NpgsqlConnection.ClearAllPools();
        await Postgres.SqlAsync($"drop database if exists {Database} with (force)");
        Sql.Clear();
        await Postgres.CreateDatabaseAsync(Database);
        await Schema.MigrateAsync(Postgres.ConnectionString(Database) + ";Pooling=false", CancellationToken.None);
        await ExecuteAsync(HistoryTrigger.Sql);
        await Broker.DeleteVhostAsync(RabbitServer.DefaultVhost);
        await Broker.CreateVhostAsync(RabbitServer.DefaultVhost);
    }

    public async Task<Member> AddApiAsync(params (string Key, string? Value)[] settings)
    {
        var api = await StartApiAsync($"api-{Apis.Count + 1}", settings);
        apiRoads.Add(TcpProxy.Start(() => api.Url.Port));
        Apis.Add(api);
        return api;
    }

    public async Task<Member> AddWorkerAsync(params (string Key, string? Value)[] settings)
    {
        var name = $"worker-{Workers.Count + 1}";
        var worker = await StartWorkerAsync(name, HostPlace.Here, settings);
        Workers.Add(worker);
        return worker;
    }

    /// <summary>An API that one fault needs for itself, and that no client knows. Whoever starts it ends it.</summary>
    public Task<Member> StartApiAsync(string name, params (string Key, string? Value)[] settings) =>
        Member.StartAsync(this, name, TestApi, HostSettings.OfApi(Through(ApisToPostgres), BrokerThrough(ApisToBroker), Key, $"{ApisToRedis.Address},password={Redis.Password}"), HostPlace.Here, settings);

    /// <summary>A worker that one fault needs for itself. Whoever starts it ends it.</summary>
    public Task<Member> StartWorkerAsync(string name, HostPlace place, params (string Key, string? Value)[] settings)
    {
        var own = HostSettings.OfWorker(Through(WorkersToPostgres), BrokerThrough(WorkersToBroker), name, DataRoot);
        own["Worker__Lease"] = Lease.ToString();
        own["Worker__Slots"] = "128"; // so that those who take over have room: what hand-overs would wait for is capacity otherwise
        own["Worker__Readiness__MaxDrainTime"] = MaxDrainTime.ToString();
        return Member.StartAsync(this, name, TestWorker, own, place, settings);
    }

    /// <summary>A connection string that leads through a proxy.</summary>
    public string Through(TcpProxy proxy) =>
        new NpgsqlConnectionStringBuilder(Postgres.ConnectionString(Database)) { Host = proxy.Address.Address.ToString(), Port = proxy.Address.Port }.ConnectionString;

    /// <summary>A broker's address that leads through a proxy.</summary>
    public string BrokerThrough(TcpProxy proxy) =>
        new UriBuilder(Broker.Uri()) { Host = proxy.Address.Address.ToString(), Port = proxy.Address.Port }.Uri.AbsoluteUri;

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Sql.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        try
        {
            await using var command = Sql.CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync())!;
        }
        catch (NpgsqlException error) when (error is not PostgresException)
        {
            Sql.Clear(); // its connections may be those of a server that was stopped since
            await using var command = Sql.CreateCommand(sql);
            return (T)(await command.ExecuteScalarAsync())!;
        }
    }

    public async Task<List<string>> RowsAsync(string sql)
    {
        await using var command = Sql.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }

    /// <summary>Puts jobs that do nothing into <see cref="Later"/>, by COPY and unseen by the witness.</summary>
    public async Task FillLaterAsync(int jobs)
    {
        await ExecuteAsync("alter table jobs disable trigger note_new_job");
        await using (var copy = await Sql.OpenConnectionAsync())
        await using (var import = await copy.BeginTextImportAsync("copy jobs (id, tenant, type, queue, state, max_attempts, input) from stdin"))
        {
            for (var i = 0; i < jobs; i++)
            {
                await import.WriteLineAsync($"{Guid.CreateVersion7()}\t1\tprobe.noop\t{Later}\t1\t3\t{{}}");
            }
        }

        await ExecuteAsync("alter table jobs enable trigger note_new_job");
    }

    /// <summary>Takes them away again.</summary>
    public Task EmptyLaterAsync() => ExecuteAsync($"delete from jobs where queue = '{Later}'; select queuescale_recount()");

    /// <summary>Jobs that run now.</summary>
    public Task<long> RunningAsync() => ScalarAsync<long>("select count(*) from jobs where state = 2");

    /// <summary>Looks again and again until the condition holds; what fails meanwhile counts as no.</summary>
    /// <returns>Whether it held in time.</returns>
    public static async Task<bool> UntilAsync(Func<Task<bool>> condition, TimeSpan patience)
    {
        for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < patience; await Task.Delay(50))
        {
            try
            {
                if (await condition())
                {
                    return true;
                }
            }
            catch (Exception error) when (error is NpgsqlException or LocalProblem or HttpRequestException or IOException or TaskCanceledException)
            {
                // struck as well
            }
        }

        return false;
    }

    /// <summary>Notes a member that ended unasked.</summary>
    public void Note(HandStart start) => startedByHand.Enqueue(start);

    /// <summary>Ends all APIs and workers.</summary>
    public async Task EndMembersAsync()
    {
        await Task.WhenAll(Apis.Concat(Workers).Select(member => member.DisposeAsync().AsTask()));
        Apis.Clear();
        Workers.Clear();
        foreach (var road in apiRoads)
        {
            await road.DisposeAsync();
        }

        apiRoads.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await EndMembersAsync();
        foreach (var proxy in (TcpProxy[])[ApisToPostgres, ApisToBroker, ApisToRedis, WorkersToPostgres, WorkersToBroker])
        {
            await proxy.DisposeAsync();
        }

        await Sql.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await servers.DisposeAsync();
    }
}
