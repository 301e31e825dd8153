namespace QueueScale.Store;

/// <summary>Ticks are forgotten when nobody can make them a second time any more.</summary>
public sealed class PastTicks(Database database)
{
    /// <summary>Ticks forgotten by one statement.</summary>
    public const int PageSize = 1000;

    private static readonly string Statement = $"""
        delete from schedule_ticks t
        using (select tenant, name, tick from schedule_ticks where created_at < clock_timestamp() - $1 order by created_at limit {PageSize} for update skip locked) old
        where (t.tenant, t.name, t.tick) = (old.tenant, old.name, old.tick)
        """;

    /// <summary>Forgets one page of ticks that were made longer ago than this, the oldest first.</summary>
    /// <returns>How many.</returns>
    public async Task<int> ForgetAsync(TimeSpan ago, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Statement).With(ago);
        return await command.ExecuteNonQueryAsync(cancellation);
    }
}
