using Npgsql;

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

/// <summary>A cancel request, one statement: what waits is cancelled at once, what runs is marked.</summary>
public sealed class Cancellations(Database database)
{
    private static readonly string Statement = $"""
        with o as (select id, state from jobs where id = $1 and tenant + 0 = $2 for no key update),
        u as (
          update jobs j set state = case when o.state = 2 then 2 else 7 end, cancel_requested = true,
            finished_at = case when o.state = 2 then null else clock_timestamp() end
          from o where j.id = o.id and o.state in (0, 1, 2, 3)
          returning j.id, j.queue, j.lane, o.state as was),
        m as (select * from u where was <> 2),
        c as ({Counts.Bump("m", left: "count(*) filter (where was = 1)", waiting: "-count(*) filter (where was in (0, 3))")})
        select exists (select from o), exists (select from u), exists (select from m)
        """;

    public async Task<CancelOutcome> CancelAsync(Guid job, int tenant, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Statement, connection).With(job).With(tenant);
        await using var reader = await command.ReadPreparedAsync(cancellation);
        await reader.ReadAsync(cancellation);
        return (reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2)) switch
        {
            (false, _, _) => CancelOutcome.Unknown,
            (true, false, _) => CancelOutcome.AlreadyFinal,
            (true, true, true) => CancelOutcome.Cancelled,
            (true, true, false) => CancelOutcome.Accepted,
        };
    }
}
