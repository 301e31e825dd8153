namespace QueueScale.Local;

/// <summary>The private PostgreSQL, RabbitMQ and Redis of one run folder.</summary>
public sealed class LocalServers
{
    internal LocalServers(RunFolder folder)
    {
        Folder = folder;
        Postgres = new PostgresServer(folder);
        Rabbit = new RabbitServer(folder);
        Redis = new RedisServer(folder);
    }

    /// <summary>Where they live.</summary>
    public RunFolder Folder { get; }

    /// <summary>The PostgreSQL server.</summary>
    public PostgresServer Postgres { get; }

    /// <summary>The RabbitMQ server.</summary>
    public RabbitServer Rabbit { get; }

    /// <summary>The Redis server, where it is installed.</summary>
    public RedisServer Redis { get; }

    /// <summary>Whether PostgreSQL has been started here.</summary>
    public bool HasPostgres => Folder.Remembered.InContainers == true || Postgres.Process is not null;

    /// <summary>Whether RabbitMQ has been started here.</summary>
    public bool HasRabbit => Folder.Remembered.InContainers == true || Rabbit.Process is not null;

    /// <summary>Whether Redis has been started here.</summary>
    public bool HasRedis => Folder.Remembered.KnownPort(RedisServer.ProcessName) is not null && (Folder.Remembered.InContainers == true || Redis.Process is not null);

    /// <summary>Whether PostgreSQL and RabbitMQ run as programs.</summary>
    public bool AreRunning => Postgres.Process is not null && Rabbit.Process is not null;

    /// <summary>Starts what does not run, all at once, and returns when all are ready. Takes over what an earlier command left.</summary>
    public static async Task<LocalServers> StartAsync(RunFolder folder, Tell? tell = null, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        return await StartHeldAsync(folder, tell, cancellation);
    }

    /// <summary>Ends them in an orderly way.</summary>
    public async Task StopAsync(CancellationToken cancellation = default)
    {
        using var held = await Folder.LockAsync(cancellation: cancellation);
        await Task.WhenAll(Postgres.StopAsync(), Rabbit.StopAsync(), Redis.StopAsync());
    }

    /// <summary>The Npgsql connection string of a database.</summary>
    public string PostgresConnectionString(string database = PostgresServer.DefaultDatabase) => Postgres.ConnectionString(database);

    /// <summary>The AMQP address of a vhost.</summary>
    public string RabbitMqUri(string vhost = RabbitServer.DefaultVhost) => Rabbit.Uri(vhost);

    /// <summary>How StackExchange.Redis is told of Redis; null where there is none.</summary>
    public string? RedisConnectionString => HasRedis ? Redis.ConnectionString : null;

    /// <summary>The servers of a run folder, running or not.</summary>
    public static LocalServers Of(RunFolder folder) => new(folder);

    // The caller holds the lock.
    internal static async Task<LocalServers> StartHeldAsync(RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        await Installation.EnsureServersAsync(folder, tell, cancellation);
        await Leftovers.EndAsync(folder, cancellation);

        var servers = new LocalServers(folder);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task[] starts = [servers.Postgres.StartAsync(tell, either.Token), servers.Rabbit.StartAsync(tell, either.Token), RedisServer.IsInstalled ? servers.Redis.StartAsync(tell, either.Token) : Task.CompletedTask];
        Task? failed = null;
        await foreach (var ended in Task.WhenEach(starts).WithCancellation(CancellationToken.None))
        {
            if (ended.IsCompletedSuccessfully || failed is not null) continue;
            failed = ended;
            await either.CancelAsync(); // nobody wants to wait for the others then
        }
        await (failed ?? Task.CompletedTask);
        return servers;
    }
}
