using Npgsql;

namespace QueueScale.Store;

/// <summary>What PostgreSQL is like, as far as QueueScale depends on it.</summary>
/// <param name="Version">Such as <c>17.6</c>.</param>
/// <param name="Major">Its first part.</param>
/// <param name="NotDurable">Settings under which a commit may be lost; none should be.</param>
/// <param name="MaxConnections">Connections that ordinary users may have.</param>
/// <param name="OtherConnections">Those that are not QueueScale's.</param>
/// <param name="Apis">API processes that are connected now.</param>
/// <param name="WorkerSlots">The slots of each live worker.</param>
/// <param name="KeepsSessions">Whether a session's settings last beyond a transaction; behind a pooler in transaction mode they do not.</param>
/// <param name="ClockAhead">How far the database's clock is ahead of this process's.</param>
/// <param name="OldestTransaction">How long the oldest transaction has been open.</param>
/// <param name="MissingRights">What the user may not do, and would have to.</param>
public sealed record PostgresFacts(
    string Version, int Major, IReadOnlyList<string> NotDurable, int MaxConnections, int OtherConnections, int Apis, IReadOnlyList<int> WorkerSlots, bool KeepsSessions,
    TimeSpan ClockAhead, TimeSpan OldestTransaction, IReadOnlyList<string> MissingRights);

/// <summary>What of the fleet is not as it should be.</summary>
/// <param name="Versions">The versions of the live workers.</param>
/// <param name="Unserved">Queues with jobs and without a live worker, and how many jobs.</param>
/// <param name="CountsDrift">Queues whose counts are not what the table says.</param>
public sealed record FleetFacts(IReadOnlyList<string> Versions, IReadOnlyList<(string Queue, long Jobs)> Unserved, IReadOnlyList<string> CountsDrift);

/// <summary>Looks at the database for <c>doctor</c>. It changes nothing.</summary>
public static class Diagnosis
{
    private const string Server = """
        select current_setting('server_version'), current_setting('server_version_num')::int / 10000,
          array(select name || ' = ' || setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'),
          current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
          (select count(*)::int from pg_stat_activity where backend_type = 'client backend' and application_name not like 'queuescale-%'),
          extract(epoch from clock_timestamp())::float8,
          coalesce((select max(extract(epoch from clock_timestamp() - xact_start)) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()), 0)::float8
        """;

    // Pools keep connections open, so whoever is there has some. Several APIs on one host are told apart only by having more than one can have.
    private static readonly string Fleet = $"""
        select
          (select greatest(count(distinct client_addr), ceil(count(*)::float8 / {Database.MostConnections}))::int from pg_stat_activity where application_name = 'queuescale-api'),
          array(select slots from workers where dead_at is null and pulse_at > clock_timestamp() - lease),
          array(select p from unnest(array['jobs', 'lanes', 'queue_counts', 'workers', 'runs', 'job_types', 'queues']) as t, unnest(array['select', 'insert', 'update', 'delete']) as r, lateral (select r || ' on ' || t as p) as named
            where not has_table_privilege(t, r))
            || case when has_database_privilege(current_database(), 'create') then array[]::text[] else array['create on the database (csv.import makes the schema imports)'] end
        """;

    private const string Work = """
        with alive as (select * from workers where dead_at is null and pulse_at > clock_timestamp() - lease),
        counted as (select queue, sum(entered - "left")::bigint as ready, sum(started - ended)::bigint as running from queue_counts group by 1),
        there as (select queue, count(*) filter (where state = 1) as ready, count(*) filter (where state = 2) as running from jobs where state in (1, 2) group by 1)
        select array(select distinct version from alive order by 1),
          array(select queue from counted where ready > 0 and not exists (select from alive where counted.queue = any(alive.queues)) order by 1),
          array(select ready from counted where ready > 0 and not exists (select from alive where counted.queue = any(alive.queues)) order by queue),
          array(select queue from counted full join there using (queue) where coalesce(counted.ready, 0) <> coalesce(there.ready, 0) or coalesce(counted.running, 0) <> coalesce(there.running, 0) order by 1)
        """;

    public static async Task<PostgresFacts> PostgresAsync(Database database, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var server = new NpgsqlCommand(Server, connection);
        (string Version, int Major, string[] NotDurable, int Most, int Others, double Clock, double Oldest) told;
        await using (var reader = await server.ExecuteReaderAsync(cancellation))
        {
            await reader.ReadAsync(cancellation);
            told = (reader.GetString(0), reader.GetInt32(1), reader.GetFieldValue<string[]>(2), reader.GetInt32(3), reader.GetInt32(4), reader.GetDouble(5), reader.GetDouble(6));
        }

        var ahead = DateTime.UnixEpoch.AddSeconds(told.Clock) - DateTime.UtcNow;
        await using var fleet = new NpgsqlCommand(Fleet, connection);
        await using (var reader = await fleet.ExecuteReaderAsync(cancellation))
        {
            await reader.ReadAsync(cancellation);
            var (apis, slots, rights) = (reader.GetInt32(0), reader.GetFieldValue<int[]>(1), reader.GetFieldValue<string[]>(2));
            await reader.CloseAsync();
            return new(told.Version, told.Major, told.NotDurable, told.Most, told.Others, apis, slots, await KeepsSessionsAsync(connection, cancellation), ahead, TimeSpan.FromSeconds(told.Oldest), rights);
        }
    }

    public static async Task<FleetFacts> FleetAsync(Database database, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellation); // counts and table of one moment
        await using var command = new NpgsqlCommand(Work, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        return new(reader.GetFieldValue<string[]>(0), [.. reader.GetFieldValue<string[]>(1).Zip(reader.GetFieldValue<long[]>(2))], reader.GetFieldValue<string[]>(3));
    }

    /// <summary>A pooler in transaction mode gives each transaction another session.</summary>
    private static async Task<bool> KeepsSessionsAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        var mark = Guid.NewGuid().ToString("N");
        await using (var set = new NpgsqlCommand($"set queuescale.doctor = '{mark}'", connection))
        {
            await set.ExecuteNonQueryAsync(cancellation);
        }

        await using var show = new NpgsqlCommand("select current_setting('queuescale.doctor', true)", connection);
        return await show.ExecuteScalarAsync(cancellation) as string == mark;
    }
}
