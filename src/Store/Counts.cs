namespace QueueScale.Store;

/// <summary>The part of a statement that counts its moves: one row a queue and lane for the whole batch, in a shard of its own connection, so that
/// depth is exact at every commit and no row is hot.</summary>
internal static class Counts
{
    /// <summary>An insert to be put behind the CTE <paramref name="moved"/>, which shows <c>queue</c> and <c>lane</c> of each moved job. Each other
    /// argument is an aggregate over it.</summary>
    public static string Bump(string moved, string? entered = null, string? left = null, string? started = null, string? ended = null, string? waiting = null,
        string lane = "lane")
    {
        (string Column, string? Value)[] all = [("entered", entered), ("\"left\"", left), ("started", started), ("ended", ended), ("waiting", waiting)];
        var used = all.Where(c => c.Value is not null).ToArray();
        return $"""
            insert into queue_counts (queue, lane, shard, {string.Join(", ", used.Select(c => c.Column))})
            select queue, {lane}, pg_backend_pid() & 255, {string.Join(", ", used.Select(c => c.Value))} from {moved} group by 1, 2 order by 1, 2
            on conflict (queue, lane, shard) do update set {string.Join(", ", used.Select(c => $"{c.Column} = queue_counts.{c.Column} + excluded.{c.Column}"))}
            """;
    }
}
