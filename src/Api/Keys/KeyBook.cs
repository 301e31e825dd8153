using System.Collections.Concurrent;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The keys that are in use here. What is known of one is looked up again after two seconds: so long, at most, a revoked key is still taken.</summary>
internal sealed class KeyBook(Store.Keys keys, TimeProvider clock)
{
    private const int Most = 10_000;

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2);

    /// <summary>Whoever makes up keys keeps no more connections than this from others.</summary>
    private readonly SemaphoreSlim strangers = new(4);

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
            foreach (var made in known.Where(one => !IsKey(one.Value.Lookup)))
            {
                known.TryRemove(made.Key, out _); // nor does he fill the memory
            }
        }

        var isKnown = entry.Lookup is { } lookup && IsKey(lookup);
        entry = (StoreDeadline.WithinAsync(limit => isKnown ? keys.FindAsync(id, limit) : FindStrangeAsync(id, limit), CancellationToken.None), clock.GetTimestamp());
        known[id] = entry;
        return entry.Lookup;
    }

    /// <summary>Whether a caller that was let in would be let in now; also true while PostgreSQL does not answer.</summary>
    public async Task<bool> IsStillInAsync(Caller caller)
    {
        try
        {
            return caller.Key == Caller.Bootstrap.Key || await FindAsync(caller.Key) is { IsLive: true };
        }
        catch (StoreUnavailable)
        {
            return true;
        }
    }

    /// <summary>Does not believe any longer what was known of a key.</summary>
    public void Forget(string id) => known.TryRemove(id, out _);

    public void NoteUse(string id) => used.TryAdd(id, true);

    private static bool IsKey(Task<KnownKey?> lookup) => lookup is { IsCompletedSuccessfully: true, Result: not null };

    private async Task<KnownKey?> FindStrangeAsync(string id, CancellationToken limit)
    {
        await strangers.WaitAsync(limit);
        try
        {
            return await keys.FindAsync(id, limit);
        }
        finally
        {
            strangers.Release();
        }
    }

    /// <summary>The keys that were used since this was asked last.</summary>
    public string[] TakeUsed() => [.. Interlocked.Exchange(ref used, []).Keys];
}
