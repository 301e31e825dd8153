using Microsoft.Extensions.Caching.Memory;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>Jobs that have succeeded, in the memory of this process: nothing can happen to them any more, but that they are deleted one day.</summary>
internal sealed class FinishedViews : IDisposable
{
    private const long MostBytes = 32 * 1024 * 1024;

    /// <summary>What an entry takes beside its JSON, about.</summary>
    private const int Overhead = 512;

    /// <summary>For so long at most a deleted job is shown; callers are told the same by <c>max-age</c>.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(1);

    private readonly MemoryCache views = new(new MemoryCacheOptions { SizeLimit = MostBytes });

    public JobView? Find(Guid id, int tenant) => views.TryGetValue((id, tenant), out JobView? view) ? view : null;

    /// <summary>Keeps a view for a while if its job has succeeded. One that has failed or was cancelled may be run again.</summary>
    public void Keep(JobView view, int tenant)
    {
        if (view.State == JobState.Succeeded)
        {
            views.Set((view.Id, tenant), view, new MemoryCacheEntryOptions { Size = view.Snapshot.Json.Length + Overhead, AbsoluteExpirationRelativeToNow = Life });
        }
    }

    public void Dispose() => views.Dispose();
}
