using System.Threading.Channels;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Watches the jobs that callers wait for: ten times a second one read for all of them, and one more for those that have changed.</summary>
internal sealed class WatchDuty(JobReader jobs, JobViews views, TimeProvider clock, ILogger<WatchDuty> logger) : DutyLoop(TimeSpan.FromMilliseconds(100), clock, logger)
{
    /// <summary>Callers that may wait here at once.</summary>
    public const int MostWatches = 20_000;

    /// <summary>Jobs read at once: each with its input.</summary>
    private const int PageSize = 100;

    private readonly Lock turn = new();
    private readonly Dictionary<Guid, HashSet<Watch>> watches = [];
    private int count;

    /// <summary>Begins to watch a job. What the watch tells was read after this call.</summary>
    /// <returns>Null when too many wait here already.</returns>
    public Watch? TryBegin(Guid job)
    {
        var watch = new Watch(job, End);
        lock (turn)
        {
            if (count == MostWatches)
            {
                return null;
            }

            count++;
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
            if (same.Remove(watch))
            {
                count--;
            }

            if (same.Count == 0)
            {
                watches.Remove(watch.Job);
            }
        }
    }
}

/// <summary>One caller's look at a job, until it is disposed.</summary>
internal sealed class Watch(Guid job, Action<Watch> end) : IDisposable
{
    private readonly Channel<StoredJob> news = Channel.CreateBounded<StoredJob>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });

    public Guid Job => job;

    /// <summary>The version told last; 0 before the first.</summary>
    public uint Version { get; private set; }

    /// <summary>The job as it is now, and from then on whenever it has changed. Who is slow misses what was in between, never what is newest.</summary>
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
            news.Writer.TryWrite(stored);
        }
    }

    public void Dispose() => end(this);
}
