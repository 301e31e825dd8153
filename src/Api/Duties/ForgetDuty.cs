using Microsoft.Extensions.Options;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Forgets what nobody needs any more: old idempotency keys and ticks of schedules, requests in bulk that are long done, and workers that are long gone.</summary>
internal sealed class ForgetDuty(ExpiredKeys keys, PastTicks ticks, PastWorkers workers, BulkRequests bulk, IOptions<ApiOptions> options, TimeProvider clock, ILogger<ForgetDuty> logger) : DutyLoop(TimeSpan.FromMinutes(1), clock, logger)
{
    /// <summary>Nobody comes later than this with a tick that another one has made.</summary>
    private static readonly TimeSpan TicksKnownFor = TimeSpan.FromDays(1);

    private static readonly TimeSpan WorkersKnownFor = TimeSpan.FromDays(30);

    private static readonly TimeSpan BulkKnownFor = TimeSpan.FromDays(30);

    public override async Task<int> RunOnceAsync(CancellationToken cancellation) =>
        await AllAsync(() => keys.ForgetAsync(options.Value.IdempotencyKeyLifetime, cancellation), ExpiredKeys.PageSize)
        + await AllAsync(() => ticks.ForgetAsync(TicksKnownFor, cancellation), PastTicks.PageSize)
        + await AllAsync(() => workers.ForgetAsync(WorkersKnownFor, cancellation), PastWorkers.PageSize)
        + await bulk.ForgetAsync(BulkKnownFor, cancellation);

    private static async Task<int> AllAsync(Func<Task<int>> forget, int page)
    {
        for (var total = 0; ;)
        {
            var forgotten = await forget();
            total += forgotten;
            if (forgotten < page)
            {
                return total;
            }
        }
    }
}
