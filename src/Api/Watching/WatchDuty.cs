using System.Threading.Channels;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Watches the jobs that callers wait for: ten times a second one read for all of them, and one more for those that have changed.</summary>
internal sealed class WatchDuty(JobReader jobs, JobViews views, TimeProvider clock, ILogger<WatchDuty> logger) : DutyLoop(TimeSpan.FromMilliseconds(100), clock, logger)
{
    /// <summary>Callers that may wait here at once, half of them of one tenant, so that it keeps nobody else out.</summary>
    public const int MostWatches = 20_000;

    /// <summary>Bytes that their requests may keep, half of them one tenant's.</summary>
    public const long MostHeld = 64 << 20;

    /// <summary>Jobs read at once: each with its input.</summary>
    private const int PageSize = 100;

    private readonly Lock turn = new();
    private readonly Dictionary<Guid, HashSet<Watch>> watches = [];
    private readonly TenantShares callers = new(MostWatches);
    private readonly TenantShares kept = new(MostHeld);

    /// <summary>Begins to watch a job. What the watch tells was read after this call.</summary>
    /// <param name="job">Which.</param>
    /// <param name="tenant">Whose.</param>
    /// <param name="held">About how many bytes the caller's request keeps while it watches.</param>
    /// <returns>Null when too many wait here already.</returns>
    public Watch? TryBegin(Guid job, int tenant, long held = 0)
    {
        if (!callers.TryTake(tenant, 1))
        {
            return null;
        }

        if (!kept.TryTake(tenant, held))
        {
            callers.GiveBack(tenant, 1);
            return null;
        }

        var watch = new Watch(job, tenant, held, End);
        lock (turn)
        {
            if (!watches.TryGetValue(job, out var same))
            {
                watches.Add(job, same = []);
            }

            same.Add(watch);
        }

        return watch;
    }

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        ILookup<Guid, Watch> watching;
        lock (turn)
        {
            watching = watches.Values.SelectMany(same => same).ToLookup(watch => watch.Job); // those who come later wait for the next pass: this one may read what is older than they know
        }

        if (watching.Count == 0)
        {
            return 0;
        }

        var versions = await jobs.VersionsAsync([.. watching.Select(same => same.Key)], cancellation);
        Guid[] changed = [.. watching.Where(same => versions.TryGetValue(same.Key, out var version) && same.Any(watch => watch.Version != version)).Select(same => same.Key)];
        foreach (var page in changed.Chunk(PageSize))
        {
            var found = await jobs.FindAsync(page, cancellation);
            await views.ShownAsync(page);
            foreach (var job in found)
            {
                foreach (var watch in watching[job.Job.Id])
                {
                    watch.Tell(job);
                }
            }
        }

        return changed.Length;
    }

    private void End(Watch watch)
    {
        lock (turn)
        {
            var same = watches[watch.Job];
            same.Remove(watch);
            if (same.Count == 0)
            {
                watches.Remove(watch.Job);
            }
        }

        callers.GiveBack(watch.Tenant, 1);
        kept.GiveBack(watch.Tenant, watch.Held);
    }
}

/// <summary>One caller's look at a job, until it is disposed.</summary>
internal sealed class Watch(Guid job, int tenant, long held, Action<Watch> end) : IDisposable
{
    private readonly Channel<StoredJob> news = Channel.CreateBounded<StoredJob>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    public Guid Job => job;

    public int Tenant => tenant;

    public long Held => held;

    /// <summary>The version told last; 0 before the first.</summary>
    public uint Version { get; private set; }

    /// <summary>The job as it is now, without its input, and from then on whenever it has changed. Who is slow misses what was in between, never what is newest.</summary>
    /// <returns>Null when nothing has changed for so long.</returns>
    public async Task<StoredJob?> NextAsync(TimeSpan patience, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(patience);
        try
        {
            return await news.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Tell(StoredJob stored)
    {
        if (stored.Version != Version)
        {
            Version = stored.Version;
            news.Writer.TryWrite(stored with { Job = stored.Job with { Input = null } }); // thousands may be kept
        }
    }

    public void Dispose() => end(this);
}
