namespace QueueScale.Store;

/// <summary>Workers that are gone are forgotten after a time, so that reading the fleet costs the same after a year of scaling.</summary>
public sealed class PastWorkers(Database database)
{
    /// <summary>Workers forgotten by one statement.</summary>
    public const int PageSize = 1000;

    // The last worker of each queue stays: its slots and times are what is known of a queue that nobody serves now.
    private static readonly string Statement = $"""
        delete from workers w
        using (
          select id from workers
          where dead_at < clock_timestamp() - $1
            and id not in (select distinct on (queue) id from workers, unnest(queues) as queue order by queue, started_at desc, id)
          limit {PageSize}) past
        where w.id = past.id
        """;

    /// <summary>Forgets one page of those that died or left longer ago than this. Their runs stay, with an unknown worker.</summary>
    /// <returns>How many.</returns>
    public async Task<int> ForgetAsync(TimeSpan ago, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Statement).With(ago);
        return await command.ExecuteNonQueryAsync(cancellation);
    }
}
