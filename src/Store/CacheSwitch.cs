namespace QueueScale.Store;

/// <summary>Whether APIs may answer from what they share in Redis. One that cannot reach it turns that off for all of them: they would go on showing what it has
/// already shown a newer state of.</summary>
public sealed class CacheSwitch(Database database)
{
    /// <summary>For so long it stays off: longer than anything is kept in Redis.</summary>
    public static readonly TimeSpan OffFor = TimeSpan.FromSeconds(5);

    /// <summary>Who has waited so long for PostgreSQL asks again.</summary>
    private const int TimeoutSeconds = 2;

    public async Task<bool> IsOnAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select off_until < clock_timestamp() from cache_switch");
        command.CommandTimeout = TimeoutSeconds;
        return await command.ExecuteScalarAsync(cancellation) is true;
    }

    public async Task TurnOffAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            "insert into cache_switch (off_until) values (clock_timestamp() + $1) on conflict (one) do update set off_until = excluded.off_until");
        command.CommandTimeout = TimeoutSeconds;
        await command.With(OffFor).ExecuteNonQueryAsync(cancellation);
    }
}
