using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A worker that was declared dead.</summary>
public readonly record struct DeadWorker(Guid Id, string Name, double SecondsSincePulse);

/// <summary>What a page of the sweep has moved.</summary>
/// <param name="Queued">Queued again.</param>
/// <param name="Ended">Given up, or cancelled where a cancel was accepted before.</param>
public sealed record Swept(IReadOnlyList<QueuedJob> Queued, IReadOnlyList<EndedJob> Ended);

/// <summary>A job that has become final.</summary>
public readonly record struct EndedJob(string Queue, string Type, JobState State);

/// <summary>Workers that give no sign of life are declared dead, and what they ran goes on elsewhere.</summary>
public sealed class Deaths(Database database)
{
    /// <summary>Jobs handed over in one statement.</summary>
    public const int PageSize = 500;

    /// <summary>A job whose worker died this many times in a row without progress is given up.</summary>
    private const short LastCrash = 3;

    /// <summary>A verdict that comes later than this after it was asked for is none: PostgreSQL stood still meanwhile, and so did the pulses that wait beside it.</summary>
    private static readonly TimeSpan VerdictGoodFor = TimeSpan.FromSeconds(2);

    // One update, so that a pulse that comes in between wins. The lock is looked up, not taken, and counts only where the last pulse still held it.
    private const string VerdictStatement = """
        update workers w set dead_at = clock_timestamp(), blame = coalesce((select max(j.suspect) from jobs j where j.worker = w.id and j.state = 2), 0)
        where w.dead_at is null and w.lease <= $1 and clock_timestamp() < $2 + $3 and clock_timestamp() - pg_postmaster_start_time() >= w.lease
          and (w.pulse_at < clock_timestamp() - w.lease
            or w.locked and w.pulse_at < clock_timestamp() - '2.5 s'::interval and not exists (
              select from pg_locks l where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
                and l.database = (select oid from pg_database where datname = current_database())
                and (l.classid::bigint << 32 | l.objid::bigint) = w.lock_key))
        returning w.id, w.name, extract(epoch from clock_timestamp() - w.pulse_at)::float8
        """;

    // What a worker claims after its verdict, because it was frozen or cut off and not dead, has not brought it down.
    private static readonly string SweepStatement = $$"""
        with dead as (
          select j.id, coalesce(j.suspect >= w.blame and j.started_at < w.dead_at, false) as blamed,
            case when w.id is null or j.started_at >= w.dead_at then 'lost' when w.blame is null then 'interrupted' else 'crashed' end as how,
            coalesce(greatest(w.pulse_at, j.started_at), clock_timestamp()) as handover_from
          from jobs j left join workers w on w.id = j.worker
          where j.state = 2 and (w.id is null or w.dead_at is not null)
          order by j.id limit {{PageSize}} for no key update of j skip locked),
        u as (
          update jobs j set
            state = case when j.cancel_requested then 7 when d.blamed and j.suspect + 1 >= {{LastCrash}} then 6 else 1 end,
            lane = 1, at = clock_timestamp(), dispatch = j.dispatch + 1,
            crashes = j.crashes + d.blamed::int, suspect = j.suspect + d.blamed::int, interruptions = j.interruptions + (not d.blamed and not j.cancel_requested)::int,
            error = case when d.blamed and j.suspect + 1 >= {{LastCrash}} then
              jsonb_build_object('code', '{{ErrorCodes.WorkerLost}}', 'message', 'The worker died {{LastCrash}} times in a row while it ran this job, without a checkpoint in between.')
              else j.error end,
            finished_at = case when j.cancel_requested or d.blamed and j.suspect + 1 >= {{LastCrash}} then clock_timestamp() end
          from dead d where j.id = d.id
          returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at, j.state, j.epoch, j.worker, j.started_at, j.from_seq, d.how, d.handover_from),
        c as ({{Counts.Bump("u", ended: "count(*)", entered: "count(*) filter (where state = 1)")}}),
        r as (
          insert into runs (job, epoch, worker, started_at, ended_at, how, from_seq, handover_from)
          select id, epoch, worker, started_at, clock_timestamp(), how, from_seq, handover_from from u where state = 1 order by id)
        select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', u.state
        from u left join lanes l using (queue, lane)
        """;

    /// <summary>The database's clock, now.</summary>
    public async Task<DateTime> TimeAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select clock_timestamp()");
        return (DateTime)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Declares workers dead whose lease is no longer than <paramref name="steady"/>.</summary>
    /// <param name="steady">For how long the caller has watched this database without a gap. After a restart or a freeze every pulse is old and every lock free;
    /// only who has watched for a whole lease may judge.</param>
    /// <param name="asked">The database's time a moment ago. A statement that PostgreSQL comes to late, because it was frozen or the table locked, changes nothing,
    /// though its caller may have given it up long before.</param>
    public async Task<IReadOnlyList<DeadWorker>> DeclareAsync(TimeSpan steady, DateTime asked, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(VerdictStatement);
        await using var reader = await command.With(steady).With(asked).With(VerdictGoodFor).ExecuteReaderAsync(cancellation);
        var dead = new List<DeadWorker>();
        while (await reader.ReadAsync(cancellation))
        {
            dead.Add(new DeadWorker(reader.GetGuid(0), reader.GetString(1), reader.GetDouble(2)));
        }

        return dead;
    }

    /// <summary>Hands over one page of running jobs whose worker is dead or unknown. To be repeated on every pass: a frozen worker can claim after its
    /// verdict.</summary>
    public async Task<Swept> SweepAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(SweepStatement);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var (queued, ended) = (new List<QueuedJob>(), new List<EndedJob>());
        while (await reader.ReadAsync(cancellation))
        {
            var (job, state) = (reader.QueuedJob(), (JobState)reader.GetInt16(8));
            if (state == JobState.Queued)
            {
                queued.Add(job);
            }
            else
            {
                ended.Add(new EndedJob(job.Queue, job.Type, state));
            }
        }

        return new Swept(queued, ended);
    }
}
