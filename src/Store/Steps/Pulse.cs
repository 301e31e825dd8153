using Npgsql;
using NpgsqlTypes;

namespace QueueScale.Store;

/// <summary>What a worker says of itself once a second.</summary>
public sealed record WorkerReport
{
    public required int Busy { get; init; }

    public required bool Draining { get; init; }

    /// <summary>Mean run seconds by job type and by queue, as JSON.</summary>
    public required string Means { get; init; }

    /// <summary>Per lane: its name, its turn and the greatest wake-up of that turn that was settled.</summary>
    public required IReadOnlyList<SeenWakeUp> Seen { get; init; }
}

/// <summary>The greatest wake-up of a lane and turn that a worker has settled.</summary>
public readonly record struct SeenWakeUp(string Queue, short Lane, int Turn, DateTime At);

/// <summary>A run that the table shows for a worker.</summary>
public readonly record struct ShownRun(Guid Job, int Epoch, bool CancelRequested, bool OlderThan5Seconds);

/// <summary>A worker's registration.</summary>
public sealed record WorkerIdentity(string Name, string Host, int Pid, string Version, IReadOnlyList<string> Queues, IReadOnlyList<string> Types, int Slots, TimeSpan Lease);

/// <summary>A worker's sign of life: a connection of its own, used by one thread of its own, with synchronous calls, so that neither a starved thread pool nor
/// a starved connection pool can get a healthy worker declared dead. Its session also holds the worker's advisory lock, which PostgreSQL frees when the
/// process dies.</summary>
public class PulseConnection(Database database) : IDisposable
{
    private NpgsqlConnection? connection;

    /// <summary>This process's present id; a new one after each registration.</summary>
    public Guid Worker { get; private set; }

    /// <summary>Whether somebody has asked this process to drain, as the last pulse heard.</summary>
    public bool DrainAsked { get; private set; }

    /// <summary>The time of a pulse, in SQL: that of the database, because it is compared with that.</summary>
    protected virtual string Now => "clock_timestamp()";

    private long lockKey;

    private bool locked;

    /// <summary>Registers the worker under a new id.</summary>
    public void Register(WorkerIdentity identity)
    {
        var id = Guid.CreateVersion7();
        using var command = new NpgsqlCommand(
            """
            insert into workers (id, name, host, pid, version, queues, types, slots, lease) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning lock_key
            """, Open());
        command.With(id).With(identity.Name).With(identity.Host).With(identity.Pid).With(identity.Version).With(identity.Queues.ToArray())
            .With(identity.Types.ToArray()).With(identity.Slots).With(identity.Lease);
        lockKey = (long)command.ExecuteScalar()!;
        Worker = id;
        locked = false;
        TakeLock();
    }

    /// <summary>Says that the worker lives.</summary>
    /// <returns>False: it was declared dead before.</returns>
    public bool Beat(WorkerReport report)
    {
        TakeLock();
        using var command = new NpgsqlCommand(
            $"""
            update workers set pulse_at = {Now}, locked = $2, busy = $3, draining = $4, means = $5, seen_lane = $6, seen_turn = $7, seen_at = $8
            where id = $1 and dead_at is null
            returning drain_asked
            """, Open());
        command.With(Worker).With(locked).With(report.Busy).With(report.Draining).With(report.Means, NpgsqlDbType.Jsonb)
            .With(report.Seen.Select(s => LaneKey.Of(s.Queue, s.Lane)).ToArray())
            .With(report.Seen.Select(s => s.Turn).ToArray())
            .With(report.Seen.Select(s => s.At).ToArray());
        var asked = command.ExecuteScalar() as bool?;
        DrainAsked = asked ?? WasAskedToDrain();
        return asked is not null;
    }

    /// <summary>What somebody asked of a worker holds for its process also when it was declared dead meanwhile.</summary>
    private bool WasAskedToDrain()
    {
        using var command = new NpgsqlCommand("select drain_asked from workers where id = $1", Open());
        return command.With(Worker).ExecuteScalar() is true;
    }

    /// <summary>Which runs the table shows for this worker. A statement of its own: a lock on <c>jobs</c> must not stop the beat.</summary>
    public IReadOnlyList<ShownRun> Runs()
    {
        using var command = new NpgsqlCommand(
            "select id, epoch, cancel_requested, started_at < clock_timestamp() - '5 s'::interval from jobs where worker = $1 and state = 2", Open());
        command.With(Worker);
        using var reader = command.ExecuteReader();
        var runs = new List<ShownRun>();
        while (reader.Read())
        {
            runs.Add(new ShownRun(reader.GetGuid(0), reader.GetInt32(1), reader.GetBoolean(2), reader.GetBoolean(3)));
        }

        return runs;
    }

    /// <summary>The last sign: the worker has left of its own accord, so nobody need be blamed for what it left behind.</summary>
    public void Leave()
    {
        using var command = new NpgsqlCommand("update workers set pulse_at = clock_timestamp(), dead_at = clock_timestamp(), busy = 0 where id = $1 and dead_at is null", Open());
        command.With(Worker).ExecuteNonQuery();
    }

    /// <summary>After an error: drops the connection if that broke it, and with it the lock; the next call opens another.</summary>
    public void ResetIfBroken()
    {
        if (connection is { FullState: not System.Data.ConnectionState.Open })
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        connection?.Dispose();
        connection = null;
        locked = false;
        GC.SuppressFinalize(this);
    }

    private NpgsqlConnection Open()
    {
        if (connection is null)
        {
            var opened = database.Own();
            try
            {
                opened.Open();
                using var limits = new NpgsqlCommand("set statement_timeout = '1s'; set enable_seqscan = off", opened);
                limits.ExecuteNonQuery();
            }
            catch
            {
                opened.Dispose();
                throw;
            }

            connection = opened;
        }

        return connection;
    }

    private void TakeLock()
    {
        if (!locked)
        {
            using var command = new NpgsqlCommand("select pg_try_advisory_lock($1)", Open());
            locked = (bool)command.With(lockKey).ExecuteScalar()!;
        }
    }
}
