using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>Jobs whose time has come, delayed ones and retries alike, are queued.</summary>
public sealed class DueJobs(Database database)
{
    /// <summary>Jobs moved in one statement.</summary>
    public const int PageSize = 1000;

    private static readonly string Statement = $"""
        with d as (
          select id from jobs where state in (0, 3) and run_at <= clock_timestamp() order by run_at limit {PageSize} for no key update skip locked),
        u as (
          update jobs j set state = 1, at = clock_timestamp(), dispatch = j.dispatch + 1, lane = j.high::int
          from d where j.id = d.id
          returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at),
        c as ({Counts.Bump("u", entered: "count(*)", waiting: "-count(*)")})
        select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', 1::smallint
        from u left join lanes l using (queue, lane)
        """;

    /// <summary>Queues one page of due jobs, the longest due first.</summary>
    public async Task<IReadOnlyList<QueuedJob>> QueueAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Statement);
        return await command.QueuedJobsAsync(cancellation);
    }
}
