using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>How many requests are under way to each host, and who waits.</summary>
/// <param name="mostPerHost">Requests at once.</param>
/// <param name="patience">How long to wait for one's turn.</param>
internal sealed class HostSlots(int mostPerHost, TimeSpan patience)
{
    private readonly Dictionary<string, Host> hosts = [];

    /// <summary>Waits for a slot of the host.</summary>
    /// <returns>Gives it back when disposed.</returns>
    /// <exception cref="RetryLater">None became free in time.</exception>
    public async Task<IDisposable> EnterAsync(string name, CancellationToken stop)
    {
        var host = Join(name);
        try
        {
            if (!await host.Free.WaitAsync(patience, stop)) throw new RetryLater(TimeSpan.FromSeconds(5 + (10 * Random.Shared.NextDouble())));
        }
        catch
        {
            Leave(name, host);
            throw;
        }

        return new Slot(this, name, host);
    }

    /// <summary>The hosts with requests.</summary>
    public IReadOnlyList<HostLoad> Now()
    {
        lock (hosts) return [.. hosts.Select(host => new HostLoad(host.Key, Math.Min(host.Value.Guests, mostPerHost), Math.Max(0, host.Value.Guests - mostPerHost)))];
    }

    private Host Join(string name)
    {
        lock (hosts)
        {
            if (!hosts.TryGetValue(name, out var host)) hosts.Add(name, host = new Host(mostPerHost));
            host.Guests++;
            return host;
        }
    }

    private void Leave(string name, Host host)
    {
        lock (hosts)
        {
            if (--host.Guests == 0) hosts.Remove(name);
        }
    }

    private sealed class Host(int slots)
    {
        public SemaphoreSlim Free { get; } = new(slots);

        /// <summary>Those in it and those who wait: with none it is forgotten.</summary>
        public int Guests { get; set; }
    }

    private sealed class Slot(HostSlots slots, string name, Host host) : IDisposable
    {
        private int left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref left, 1) != 0) return;
            host.Free.Release();
            slots.Leave(name, host);
        }
    }
}

/// <summary>A host's requests under way, and the runs that wait for one.</summary>
internal sealed record HostLoad(string Name, int InUse, int Waiting);
