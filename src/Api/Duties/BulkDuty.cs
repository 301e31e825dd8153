using QueueScale.Bus;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Carries out requests in bulk, each as fast as its rate allows.</summary>
internal sealed class BulkDuty(BulkRequests requests, WakeUps wakeUps, DepthDuty depth, KnownTypes types, TimeProvider clock, ILogger<BulkDuty> logger) : DutyLoop(TimeSpan.FromSeconds(1), clock, logger)
{
    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        var total = 0;
        foreach (var request in await requests.OpenAsync(cancellation))
        {
            while (await requests.NextAsync(request, cancellation) is { Looked: > 0 } page)
            {
                await wakeUps.SendAsync(page.Queued);
                foreach (var alike in page.Cancelled.CountBy(job => job))
                {
                    FinishedJobs.Add(depth.Label(alike.Key.Queue), types.Label(alike.Key.Type), "cancelled", alike.Value);
                }

                total += page.Looked;
            }
        }

        return total;
    }
}
