using System.Diagnostics;
using Npgsql;

namespace QueueScale.Store;

/// <summary>The pools of one process into its PostgreSQL database.</summary>
public sealed class Database : IAsyncDisposable
{
    /// <summary>How long a statement of a job's way waits for a locked row before it is repeated.</summary>
    private const string LockTimeout = "2s";

    /// <summary>Connections that each pool keeps open, however quiet it is.</summary>
    internal const int LeastSteps = 4;

    private const int LeastGeneral = 4;

    /// <summary>The most connections of <see cref="Steps"/>: one for each step, and room for the batches that have a transaction of their own.</summary>
    private const int MostSteps = 10;

    private const int MostGeneral = 16;

    /// <summary>The most connections that a process opens unless it is told another number for <see cref="General"/>.</summary>
    public const int MostConnections = MostSteps + MostGeneral;

    private readonly NpgsqlDataSource unpooled;

    /// <param name="connectionString">An Npgsql connection string.</param>
    /// <param name="program">Who connects, as PostgreSQL shows it in <c>application_name</c>.</param>
    /// <param name="generalConnections">The most connections of <see cref="General"/>.</param>
    public Database(string connectionString, string program, int generalConnections = MostGeneral)
    {
        var common = new NpgsqlConnectionStringBuilder(connectionString) { ApplicationName = program, GssEncryptionMode = GssEncryptionMode.Disable, Timeout = 2, TcpKeepAlive = true };
        // On tables that were never analysed PostgreSQL takes small statements, the depth's among them, for large ones and compiles them for 100 ms each time.
        common.Options = $"{common.Options} -c jit=off".Trim();
        General = Build(new(common.ConnectionString) { MinPoolSize = LeastGeneral, MaxPoolSize = generalConnections, CommandTimeout = 30, CancellationTimeout = 100 }, "general");
        Steps = Build(new(common.ConnectionString)
        {
            MinPoolSize = LeastSteps,
            MaxPoolSize = MostSteps,
            CommandTimeout = 4,
            CancellationTimeout = 500,
            // The statements run as nested loops from their arrays into the primary key, whatever the statistics say: so rows are locked in the
            // order of the arrays, and a burst on a never analysed table is as fast as any other.
            Options = $"{common.Options} -c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan -c lock_timeout={LockTimeout}",
        }, "steps");
        unpooled = Build(new(common.ConnectionString) { Pooling = false, CommandTimeout = 2, CancellationTimeout = 500 }, "own");
    }

    /// <summary>Makes sure that a connection string is one.</summary>
    /// <exception cref="ArgumentException">It is none, or names no host.</exception>
    public static void Check(string connectionString) => ArgumentException.ThrowIfNullOrEmpty(new NpgsqlConnectionStringBuilder(connectionString).Host, "Host");

    /// <summary>For the steps of a job's way. Its plans are forced.</summary>
    public NpgsqlDataSource Steps { get; }

    /// <summary>For lists, duties and handlers.</summary>
    public NpgsqlDataSource General { get; }

    /// <summary>Makes PostgreSQL answer over a pool, as everybody's statements do: where the pool has no connection left, nobody is served.</summary>
    public static async Task AskAsync(NpgsqlDataSource pool)
    {
        await using var command = pool.CreateCommand("select 1");
        command.CommandTimeout = 1;
        await command.ExecuteScalarAsync();
    }

    /// <summary>A connection outside the pools, so that nothing can starve it. Its commands time out after 2 seconds.</summary>
    public NpgsqlConnection Own() => unpooled.CreateConnection();

    /// <summary>What belongs to no request and no run, such as group commits and duties, would be a trace of its own, many times a second.</summary>
    private static bool IsPartOfATrace => Activity.Current is not null;

    /// <summary>Opens the connections that the pools keep open anyway; who comes first does not wait for them.</summary>
    public Task OpenLeastAsync(CancellationToken cancellation) => Task.WhenAll(OpenAsync(Steps, LeastSteps, cancellation), OpenAsync(General, LeastGeneral, cancellation));

    public async ValueTask DisposeAsync()
    {
        await Steps.DisposeAsync();
        await General.DisposeAsync();
        await unpooled.DisposeAsync();
    }

    private static async Task OpenAsync(NpgsqlDataSource pool, int connections, CancellationToken cancellation)
    {
        var opening = Enumerable.Range(0, connections).Select(_ => pool.OpenConnectionAsync(cancellation).AsTask()).ToArray();
        try
        {
            await Task.WhenAll(opening);
        }
        finally
        {
            foreach (var opened in opening.Where(task => task.IsCompletedSuccessfully))
            {
                await opened.Result.DisposeAsync();
            }
        }
    }

    private static NpgsqlDataSource Build(NpgsqlConnectionStringBuilder settings, string name) =>
        new NpgsqlDataSourceBuilder(settings.ConnectionString) { Name = name }
            .ConfigureTracing(traces => traces.ConfigureCommandFilter(_ => IsPartOfATrace).ConfigureBatchFilter(_ => IsPartOfATrace).ConfigureCopyOperationFilter(_ => IsPartOfATrace).EnablePhysicalOpenTracing(false))
            .Build();
}
