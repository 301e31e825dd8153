namespace QueueScale.Store;

/// <summary>Idempotency keys are forgotten when they have lived long enough.</summary>
public sealed class ExpiredKeys(Database database)
{
    /// <summary>Keys forgotten by one statement.</summary>
    public const int PageSize = 1000;

    private static readonly string Statement = $"""
        delete from idempotency_keys k
        using (select tenant, key from idempotency_keys where created_at < clock_timestamp() - $1 order by created_at limit {PageSize} for update skip locked) old
        where (k.tenant, k.key) = (old.tenant, old.key)
        """;

    /// <summary>Forgets one page of keys older than this, the oldest first.</summary>
    /// <returns>How many.</returns>
    public async Task<int> ForgetAsync(TimeSpan lifetime, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Statement).With(lifetime);
        return await command.ExecuteNonQueryAsync(cancellation);
    }
}
