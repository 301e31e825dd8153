using System.Collections.Concurrent;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The keys that are in use here. What is known of one is looked up again after two seconds: so long, at most, a revoked key is still taken.</summary>
internal sealed class KeyBook(Store.Keys keys, TimeProvider clock)
{
    private const int Most = 10_000;

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, (Task<KnownKey?> Lookup, long At)> known = [];
    private ConcurrentDictionary<string, bool> used = [];

    /// <exception cref="StoreUnavailable">PostgreSQL does not answer.</exception>
    public Task<KnownKey?> FindAsync(string id)
    {
        if (known.TryGetValue(id, out var entry) && clock.GetElapsedTime(entry.At) < Fresh && !entry.Lookup.IsFaulted)
        {
            return entry.Lookup;
        }

        if (known.Count >= Most)
        {
            known.Clear(); // whoever makes up keys cannot fill the memory with them
        }

        entry = (StoreDeadline.WithinAsync(limit => keys.FindAsync(id, limit), CancellationToken.None), clock.GetTimestamp());
        known[id] = entry;
        return entry.Lookup;
    }

    /// <summary>Does not believe any longer what was known of a key.</summary>
    public void Forget(string id) => known.TryRemove(id, out _);

    public void NoteUse(string id) => used.TryAdd(id, true);

    /// <summary>The keys that were used since this was asked last.</summary>
    public string[] TakeUsed() => [.. Interlocked.Exchange(ref used, []).Keys];
}
