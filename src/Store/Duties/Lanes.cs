using Npgsql;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A closed lane: jobs queued after <paramref name="Fed"/> are parked.</summary>
public readonly record struct ClosedLane(string Queue, short Lane, int Turn, DateTime Fed);

/// <summary>Opening and closing lanes, and reading parked jobs in order. A lane is closed by moving <c>fed</c>; no job row is written.</summary>
public sealed class Lanes(Database database)
{
    /// <summary>Parked jobs read at once.</summary>
    public const int PageSize = 1000;

    /// <summary>Closes a lane because a wake-up could not be sent: everything queued from <paramref name="at"/> on is parked.</summary>
    /// <returns>Whether that moved the lane back and so began a new turn; if not, it was closed at or before that time already.</returns>
    public async Task<bool> CloseAsync(string queue, short lane, DateTime at, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            """
            insert into lanes as l (queue, lane, fed, turn) values ($1, $2, $3::timestamptz - '1 us'::interval, 1)
            on conflict (queue, lane) do update set fed = excluded.fed, turn = l.turn + 1, probe_at = null, probe_sent = null, probes = 0
            where excluded.fed < l.fed
            """);
        return await command.With(queue).With(lane).With(at).ExecuteNonQueryAsync(cancellation) == 1;
    }

    /// <summary>Closes open lanes in which more than <paramref name="window"/> jobs wait: what comes from now on is parked.</summary>
    /// <returns>How many were closed.</returns>
    public async Task<int> CloseOverfullAsync(int window, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            """
            insert into lanes as l (queue, lane, fed)
            select queue, lane, clock_timestamp() from queue_counts left join lanes using (queue, lane)
            where coalesce(fed, 'infinity') = 'infinity' group by 1, 2 having sum(entered - "left") > $1
            on conflict (queue, lane) do update set fed = excluded.fed where l.fed = 'infinity'
            """);
        return await command.With(window).ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>The closed lanes of queues that are not paused.</summary>
    public async Task<IReadOnlyList<ClosedLane>> ClosedAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            "select queue, lane, turn, fed from lanes where fed < 'infinity' and not exists (select from queues where name = queue and paused) order by queue, lane desc");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var closed = new List<ClosedLane>();
        while (await reader.ReadAsync(cancellation))
        {
            closed.Add(new ClosedLane(reader.GetString(0), reader.GetInt16(1), reader.GetInt32(2), reader.GetDateTime(3)));
        }

        return closed;
    }

    /// <summary>Takes the right to feed a lane, if nobody has it. Disposing gives it back; so does the end of the connection.</summary>
    public async Task<Feed?> TryFeedAsync(ClosedLane lane, CancellationToken cancellation)
    {
        var connection = await database.General.OpenConnectionAsync(cancellation);
        var feed = new Feed(connection, lane);
        try
        {
            if (await feed.TakeAsync(cancellation))
            {
                return feed;
            }
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }

        await connection.DisposeAsync();
        return null;
    }
}

/// <summary>The right to send a closed lane's parked jobs, held by one process at a time.</summary>
public sealed class Feed(NpgsqlConnection connection, ClosedLane lane) : IAsyncDisposable
{
    private DateTime fed = lane.Fed;

    internal async Task<bool> TakeAsync(CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock(hashtext('feed'), hashtext($1))", connection);
        return (bool)(await command.With(LaneKey.Of(lane.Queue, lane.Lane)).ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>How many jobs of the lane are sent and not yet claimed, counted up to <paramref name="limit"/>.</summary>
    public async Task<int> OutstandingAsync(int limit, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(
            "select count(*)::int from (select 1 from jobs where state = 1 and queue = $1 and lane = $2 and at <= $3 order by at limit $4) as outstanding", connection);
        return (int)(await command.With(lane.Queue).With(lane.Lane).With(fed).With(limit).ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>The next page of parked jobs, in the order in which they were queued; jobs of the same instant stay together.</summary>
    public async Task<IReadOnlyList<QueuedJob>> NextAsync(CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(
            $"""
            select id, dispatch, type, queue, lane, $4, at, true, state from jobs where state = 1 and queue = $1 and lane = $2 and at > $3
            order by at fetch first {Lanes.PageSize} rows with ties
            """, connection);
        return await command.With(lane.Queue).With(lane.Lane).With(fed).With(lane.Turn).QueuedJobsAsync(cancellation);
    }

    /// <summary>Records that everything up to <paramref name="at"/> has been sent.</summary>
    /// <returns>False: somebody moved the lane meanwhile; this feed is over.</returns>
    public async Task<bool> AdvanceAsync(DateTime at, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("update lanes set fed = $4 where queue = $1 and lane = $2 and fed = $3 and turn = $5", connection);
        var moved = await command.With(lane.Queue).With(lane.Lane).With(fed).With(at).With(lane.Turn).ExecuteNonQueryAsync(cancellation) == 1;
        fed = at;
        return moved;
    }

    /// <summary>Opens the lane: from now on whoever queues a job sends its wake-up.</summary>
    public Task<bool> OpenAsync(CancellationToken cancellation) => AdvanceAsync(DateTime.MaxValue, cancellation);

    public async ValueTask DisposeAsync()
    {
        try
        {
            await using var command = new NpgsqlCommand("select pg_advisory_unlock(hashtext('feed'), hashtext($1))", connection);
            await command.With(LaneKey.Of(lane.Queue, lane.Lane)).ExecuteNonQueryAsync();
        }
        catch (NpgsqlException)
        {
            // The connection is broken, and the lock went with it.
        }

        await connection.DisposeAsync();
    }
}
