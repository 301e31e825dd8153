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
        var failed = new HashSet<Guid>();
        for (var goesOn = true; goesOn;)
        {
            goesOn = false;
            foreach (var request in (await requests.OpenAsync(cancellation)).Where(request => !failed.Contains(request))) // a page of each, so that none waits for the end of a long one
            {
                try
                {
                    if (await requests.NextAsync(request, cancellation) is { } page)
                    {
                        goesOn = true;
                        total += page.Fitted;
                        await TellAsync(page);
                    }
                }
                catch (Exception error) when (!cancellation.IsCancellationRequested)
                {
                    failure = ExceptionDispatchInfo.Capture(error); // told once for all; the others go on
                    failed.Add(request);
                }
            }
        }

        failure?.Throw();
        return total;
    }

    private async Task TellAsync(BulkPage page)
    {
        await wakeUps.SendAsync(page.Queued);
        foreach (var alike in page.Cancelled.CountBy(job => job))
        {
            FinishedJobs.Add(depth.Label(alike.Key.Queue), types.Label(alike.Key.Type), "cancelled", alike.Value);
        }
    }
}
