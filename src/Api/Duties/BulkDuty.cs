using System.Runtime.ExceptionServices;
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
        ExceptionDispatchInfo? failure = null;
        foreach (var request in await requests.OpenAsync(cancellation))
        {
            try
            {
                total += await CarryOutAsync(request, cancellation);
            }
            catch (Exception error) when (!cancellation.IsCancellationRequested)
            {
                failure = ExceptionDispatchInfo.Capture(error); // told once for all; the others go on
            }
        }

        failure?.Throw();
        return total;
    }

    private async Task<int> CarryOutAsync(Guid request, CancellationToken cancellation)
    {
        var total = 0;
        while (await requests.NextAsync(request, cancellation) is { } page)
        {
            await wakeUps.SendAsync(page.Queued);
            foreach (var alike in page.Cancelled.CountBy(job => job))
            {
                FinishedJobs.Add(depth.Label(alike.Key.Queue), types.Label(alike.Key.Type), "cancelled", alike.Value);
            }

            total += page.Fitted;
        }

        return total;
    }
}
