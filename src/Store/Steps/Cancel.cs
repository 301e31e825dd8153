using Npgsql;
using NpgsqlTypes;

namespace QueueScale.Store;

/// <summary>What a cancel request met.</summary>
public enum CancelOutcome
{
    /// <summary>The job waited and is cancelled.</summary>
    Cancelled,

    /// <summary>The job runs and will be cancelled when its run ends, whatever the run does.</summary>
    Accepted,

    /// <summary>The job was final already.</summary>
    AlreadyFinal,

    /// <summary>There is no such job.</summary>
    Unknown,
}

/// <summary>A cancelled job, or one that runs and will be.</summary>
internal readonly record struct CancelledJob(Guid Id, string Queue, string Type, bool IsFinal);

/// <summary>A cancel request, one statement: what waits is cancelled at once, what runs is marked.</summary>
public sealed class Cancellations(Database database)
{
    private static readonly string Statement = $"""
        with o as (select id, state from jobs where id = any($1) and tenant + 0 = $2 order by id for no key update),
        u as (
          update jobs j set state = case when o.state = 2 then 2 else 7 end, cancel_requested = true,
            finished_at = case when o.state = 2 then null else clock_timestamp() end
          from o where j.id = o.id and o.state in (0, 1, 2, 3)
          returning j.id, j.queue, j.type, j.lane, o.state as was),
        m as (select * from u where was <> 2),
        c as ({Counts.Bump("m", left: "count(*) filter (where was = 1)", waiting: "-count(*) filter (where was in (0, 3))")})
        select o.id, u.queue, u.type, u.was <> 2 from o left join u using (id)
        """;

    public async Task<CancelOutcome> CancelAsync(Guid job, int tenant, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        var known = await CancelAsync([job], tenant, connection, cancellation);
        return known switch
        {
            [] => CancelOutcome.Unknown,
            [null] => CancelOutcome.AlreadyFinal,
            [{ IsFinal: true }] => CancelOutcome.Cancelled,
            _ => CancelOutcome.Accepted,
        };
    }

    /// <returns>One a job that is there; null for one that was final already.</returns>
    internal static async Task<IReadOnlyList<CancelledJob?>> CancelAsync(Guid[] jobs, int tenant, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Statement, connection).WithColumn(jobs, NpgsqlDbType.Uuid).With(tenant);
        await using var reader = await command.ReadPreparedAsync(cancellation);
        var known = new List<CancelledJob?>(jobs.Length);
        while (await reader.ReadAsync(cancellation))
        {
            known.Add(reader.IsDBNull(1) ? null : new CancelledJob(reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetBoolean(3)));
        }

        return known;
    }
}
