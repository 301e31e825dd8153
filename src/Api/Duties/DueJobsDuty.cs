using QueueScale.Bus;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Queues delayed jobs and retries when they are due, by the database's clock.</summary>
internal sealed class DueJobsDuty(DueJobs due, WakeUps wakeUps, TimeProvider clock, ILogger<DueJobsDuty> logger) : DutyLoop(TimeSpan.FromMilliseconds(250), clock, logger)
{
    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        for (var total = 0; ;)
        {
            var queued = await due.QueueAsync(cancellation);
            await wakeUps.SendAsync(queued);
            total += queued.Count;
            if (queued.Count < DueJobs.PageSize)
            {
                return total;
            }
        }
    }
}
