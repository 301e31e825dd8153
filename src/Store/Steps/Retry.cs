using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A request to run failed and cancelled jobs again, with all their attempts anew: the redrive of the dead-letter list.</summary>
public sealed class Retries(Database database)
{
    /// <summary>A job whose unique key is taken stays, and of several with the same key all but the first. The run that ended the job had no row of its own, because it was read from the job. It gets one: the job's next run is read from there now.</summary>
    private static readonly string Statement = $"""
        with o as (
          select id, epoch, worker, started_at, finished_at, from_seq, error, state, tenant, unique_key from jobs where id = any($1) and tenant + 0 = $2 and state + 0 in (6, 7) order by id for no key update),
        f as (
          select * from (select o.*, row_number() over (partition by unique_key order by id) as nth from o) as o
          where unique_key is null or nth = 1 and not exists (select from jobs k where k.tenant = o.tenant and k.unique_key = o.unique_key and k.state < 5)),
        r as (
          insert into runs (job, epoch, worker, started_at, ended_at, how, error, from_seq)
          select id, epoch, worker, started_at, finished_at,
            case when state = 7 then 'cancelled' when error->>'code' = 'timed_out' then 'timedOut' when error->>'code' = 'worker_lost' then 'crashed' else 'failed' end,
            case when state = 6 then error end, from_seq
          from f where epoch > 0
          on conflict (job, epoch) do update set handover_from = null), -- what was interrupted then is no hand-over now
        u as (
          update jobs j set state = 1, at = clock_timestamp(), dispatch = j.dispatch + 1, lane = j.high::int, attempts = 0, suspect = 0, cancel_requested = false,
            run_at = clock_timestamp(), finished_at = null, error = null, progress = case when $3 then null else j.progress end,
            checkpoint = case when $3 then null else j.checkpoint end, checkpoint_seq = case when $3 then 0 else j.checkpoint_seq end, checkpointed_at = case when $3 then null else j.checkpointed_at end
          from f where j.id = f.id
          returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at),
        c as ({Counts.Bump("u", entered: "count(*)")})
        select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', 1::smallint
        from u left join lanes l using (queue, lane)
        """;

    /// <summary>Queues those of the jobs that have failed or were cancelled.</summary>
    /// <param name="jobs">Jobs; those of other tenants are passed over.</param>
    /// <param name="tenant">Whose.</param>
    /// <param name="fromStart">Without their checkpoints.</param>
    /// <param name="cancellation">Ends it; whether it was done is unknown then.</param>
    /// <returns>The queued ones, without those whose unique key another job has. Their wake-ups are yet to be sent.</returns>
    public async Task<IReadOnlyList<QueuedJob>> RetryAsync(Guid[] jobs, int tenant, bool fromStart, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        while (true)
        {
            try
            {
                return await RetryAsync(jobs, tenant, fromStart, connection, cancellation);
            }
            catch (PostgresException error) when (error is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "jobs_unique" })
            {
                // Somebody took a key in this moment; the next look sees that.
            }
        }
    }

    /// <summary>The unfinished job that has the unique key of <paramref name="job"/>, which itself is final; null where none has.</summary>
    public async Task<Guid?> KeyHolderAsync(Guid job, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            "select k.id from jobs j join jobs k on k.tenant = j.tenant and k.unique_key = j.unique_key and k.state < 5 where j.id = $1 and j.tenant = $2 and j.state >= 5").With(job).With(tenant);
        return await command.ExecuteScalarAsync(cancellation) as Guid?;
    }

    internal static async Task<IReadOnlyList<QueuedJob>> RetryAsync(Guid[] jobs, int tenant, bool fromStart, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Statement, connection).WithColumn(jobs, NpgsqlDbType.Uuid).With(tenant).With(fromStart);
        return await command.QueuedJobsAsync(cancellation);
    }
}
