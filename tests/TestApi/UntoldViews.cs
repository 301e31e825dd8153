using Microsoft.Extensions.Logging;
using QueueScale.Api;
using QueueScale.Cache;
using QueueScale.Store;

namespace QueueScale.TestApi;

/// <summary>Keeps what it has read for others, but leaves what lies there when it shows something newer.</summary>
internal sealed class UntoldViews(JobSnapshots snapshots, RedisLink link, CacheSwitch forAll, TimeProvider clock, ILogger<SharedViews> logger) : SharedViews(snapshots, link, forAll, clock, logger)
{
    public override Task ForgetAsync(IEnumerable<Guid> jobs) => Task.CompletedTask;
}
