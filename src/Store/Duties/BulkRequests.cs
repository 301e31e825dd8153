using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>Something to be done to all jobs that fit a filter.</summary>
/// <param name="Action">What.</param>
/// <param name="Filter">Which jobs; its page is of no matter.</param>
/// <param name="FromStart">Retry: without their checkpoints.</param>
/// <param name="Rate">Jobs a second at most; null without a limit.</param>
public sealed record NewBulkRequest(BulkAction Action, JobFilter Filter, bool FromStart, int? Rate)
{
    /// <summary>The states that the action can move a job from.</summary>
    public static IReadOnlyList<JobState> StatesOf(BulkAction action) => action == BulkAction.Retry
        ? [JobState.Failed, JobState.Cancelled]
        : [JobState.Scheduled, JobState.Queued, JobState.Running, JobState.Retrying];

    internal short[] States => Filter.State is { } one ? [(short)one] : Action == BulkAction.Retry ? [(short)JobState.Failed] : [.. StatesOf(Action).Select(state => (short)state)];
}

/// <summary>What one page of a bulk request has done.</summary>
/// <param name="Fitted">Jobs that fitted.</param>
/// <param name="Queued">Those that are to run again; their wake-ups are yet to be sent.</param>
/// <param name="Cancelled">Queue and type of those that have become final.</param>
public sealed record BulkPage(int Fitted, IReadOnlyList<QueuedJob> Queued, IReadOnlyList<(string Queue, string Type)> Cancelled);

/// <summary>Retries and cancels in bulk, page after page, whichever process does the next. A page and how far the request is are one transaction.</summary>
public sealed class BulkRequests(Database database)
{
    /// <summary>Jobs moved in one statement.</summary>
    public const int PageSize = 500;

    /// <summary>Jobs looked at for one page: those that do not fit cost time, too.</summary>
    private const int MostLooked = 20_000;

    private const string Columns = "id, action, from_start, rate, matched, done, created_at, finished_at";

    /// <summary>How many jobs fit now.</summary>
    public async Task<long> CountAsync(NewBulkRequest request, int tenant, CancellationToken cancellation)
    {
        await using var command = WithFilter(database.General.CreateCommand($"select count(*) from jobs where {Fitting(request.States)}"), request, tenant);
        return (long)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Stores a request; from then on it is carried out.</summary>
    public async Task<BulkRequest> BeginAsync(NewBulkRequest request, int tenant, CancellationToken cancellation)
    {
        await using var command = WithFilter(
            database.General.CreateCommand(
                $"""
                insert into bulk_requests (id, tenant, action, from_start, rate, states, type, queue, tag, created_after, created_before, matched, last)
                select $8, $1, $9, $10, $11, $2, $3, $4, $5, $6, $7, count(*), coalesce((select id from jobs where tenant = $1 order by id desc limit 1), $8) from jobs where {Fitting(request.States)}
                returning {Columns}
                """), request, tenant)
            .With(Guid.CreateVersion7()).With(request.Action.ToString()).With(request.FromStart).With(request.Rate, NpgsqlDbType.Integer);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        await reader.ReadAsync(cancellation);
        return Read(reader);
    }

    /// <summary>How many of a tenant's requests are not done.</summary>
    public async Task<long> OpenAsync(int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select count(*) from bulk_requests where finished_at is null and tenant = $1").With(tenant);
        return (long)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Forgets requests that were done longer ago than this.</summary>
    /// <returns>How many.</returns>
    public async Task<int> ForgetAsync(TimeSpan ago, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("delete from bulk_requests where finished_at < clock_timestamp() - $1").With(ago);
        return await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>How far a request is; null when there is no such one.</summary>
    public async Task<BulkRequest?> FindAsync(Guid id, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Columns} from bulk_requests where id = $1 and tenant = $2").With(id).With(tenant);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation) ? Read(reader) : null;
    }

    /// <summary>Requests that are not done.</summary>
    public async Task<IReadOnlyList<Guid>> OpenAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select id from bulk_requests where finished_at is null order by id");
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var open = new List<Guid>();
        while (await reader.ReadAsync(cancellation))
        {
            open.Add(reader.GetGuid(0));
        }

        return open;
    }

    /// <summary>Carries out the next page of a request, as its rate allows.</summary>
    /// <returns>Null when another process is at it, it is done, or its rate wants a pause.</returns>
    public async Task<BulkPage?> NextAsync(Guid id, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await using (var gone = new NpgsqlCommand("set local idle_in_transaction_session_timeout = '5 s'", connection)) // a host that vanishes must not keep the rows
        {
            await gone.ExecuteNonQueryAsync(cancellation);
        }

        int tenant, allowed;
        bool retry, fromStart;
        short[] states;
        Guid[] jobs;
        await using (var turn = new NpgsqlCommand(
            $"""
            select tenant, action, from_start, greatest(0, least({PageSize}, coalesce(floor(rate * least(1, extract(epoch from clock_timestamp() - page_at))), {PageSize})))::int, states
            from bulk_requests where id = $1 and finished_at is null for update skip locked
            """, connection).With(id))
        {
            await using var reader = await turn.ExecuteReaderAsync(cancellation);
            if (!await reader.ReadAsync(cancellation))
            {
                return null;
            }

            (tenant, retry, fromStart, allowed, states) =
                (reader.GetInt32(0), reader.GetString(1) == nameof(BulkAction.Retry), reader.GetBoolean(2), reader.GetInt32(3), reader.GetFieldValue<short[]>(4));
        }

        if (allowed == 0)
        {
            return null;
        }

        Guid? place;
        bool isDone;
        await using (var page = new NpgsqlCommand(
            $"""
            with looked as materialized (
              select j.* from bulk_requests b, lateral (
                select id, state, type, queue, tags, created_at from jobs where tenant = b.tenant and id > b.place and id <= b.last order by tenant, id limit {MostLooked}) as j
              where b.id = $1),
            fit as (
              select l.id from looked l, bulk_requests b
              where b.id = $1 and l.state in ({string.Join(", ", states)}) and (b.type is null or l.type = b.type) and (b.queue is null or l.queue = b.queue) and (b.tag is null or b.tag = any(l.tags))
                and (b.created_after is null or l.created_at > b.created_after) and (b.created_before is null or l.created_at < b.created_before)
              order by 1 limit $2)
            select array(select id from fit order by 1), (select count(*) from fit) < $2 and (select count(*) from looked) < {MostLooked},
              case when (select count(*) from fit) < $2 then (select id from looked order by 1 desc limit 1) else (select id from fit order by 1 desc limit 1) end
            """, connection).With(id).With(allowed))
        {
            await using var reader = await page.ExecuteReaderAsync(cancellation);
            await reader.ReadAsync(cancellation);
            (jobs, isDone, place) = (reader.GetFieldValue<Guid[]>(0), reader.GetBoolean(1), reader.IsDBNull(2) ? null : reader.GetGuid(2));
        }

        var queued = retry ? await Retries.RetryAsync(jobs, tenant, fromStart, connection, cancellation) : [];
        var cancelled = retry ? [] : (await Cancellations.CancelAsync(jobs, tenant, connection, cancellation)).OfType<CancelledJob>().ToArray();
        await using (var far = new NpgsqlCommand(
            """
            update bulk_requests set done = done + $2, place = coalesce($3, place), finished_at = case when $5 then clock_timestamp() end,
              page_at = coalesce(greatest(page_at, clock_timestamp() - '1 s'::interval) + $4 / rate::float8 * '1 s'::interval, page_at)
            where id = $1
            """, connection)
            .With(id).With((long)(queued.Count + cancelled.Length)).With(place, NpgsqlDbType.Uuid).With(jobs.Length).With(isDone))
        {
            await far.ExecuteNonQueryAsync(cancellation);
        }

        await transaction.CommitAsync(cancellation);
        return new BulkPage(jobs.Length, queued, [.. cancelled.Where(job => job.IsFinal).Select(job => (job.Queue, job.Type))]);
    }

    /// <summary>The states stand in the text, so that the index of failed jobs serves.</summary>
    private static string Fitting(short[] states) => $"""
        tenant = $1 and $2::smallint[] is not null and state in ({string.Join(", ", states)}) and ($3::text is null or type = $3) and ($4::text is null or queue = $4)
          and ($5::text is null or $5 = any(tags)) and ($6::timestamptz is null or created_at > $6) and ($7::timestamptz is null or created_at < $7)
        """;

    private static NpgsqlCommand WithFilter(NpgsqlCommand command, NewBulkRequest request, int tenant) => command
        .With(tenant)
        .WithColumn(request.States, NpgsqlDbType.Smallint)
        .With(request.Filter.Type, NpgsqlDbType.Text)
        .With(request.Filter.Queue, NpgsqlDbType.Text)
        .With(request.Filter.Tag, NpgsqlDbType.Text)
        .With(request.Filter.CreatedAfter, NpgsqlDbType.TimestampTz)
        .With(request.Filter.CreatedBefore, NpgsqlDbType.TimestampTz);

    private static BulkRequest Read(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetGuid(0),
        Action = Enum.Parse<BulkAction>(reader.GetString(1)),
        FromStart = reader.GetBoolean(2),
        Rate = reader.IsDBNull(3) ? null : reader.GetInt32(3),
        Matched = reader.GetInt64(4),
        Done = reader.GetInt64(5),
        CreatedAt = reader.GetDateTime(6),
        FinishedAt = reader.TimeOrNull(7),
        Links = new BulkLinks($"/v1/bulk/{reader.GetGuid(0)}"),
    };
}
