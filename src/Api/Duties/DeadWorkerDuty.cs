using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Declares workers dead that give no sign of life, and hands over what they ran.</summary>
internal sealed partial class DeadWorkerDuty(Deaths deaths, WakeUps wakeUps, DepthDuty depth, KnownTypes types, TimeProvider clock, ILogger<DeadWorkerDuty> logger)
    : DutyLoop(TimeSpan.FromMilliseconds(500), clock, logger)
{
    /// <summary>A longer pause between two good passes means that this process or the database stood still: it must watch anew before it may judge.</summary>
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(2);

    private readonly TimeProvider clock = clock;
    private readonly ILogger logger = logger;
    private long steadySince;
    private long lastGood;

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        var began = clock.GetTimestamp();
        var asked = await deaths.TimeAsync(cancellation);
        var answered = clock.GetTimestamp();
        if (lastGood == 0 || clock.GetElapsedTime(lastGood, answered) > LongestGap)
        {
            steadySince = answered;
        }

        foreach (var worker in await deaths.DeclareAsync(clock.GetElapsedTime(steadySince, answered), asked, cancellation))
        {
            ApiMetrics.WorkerCrashes.Add(1);
            Log.Dead(logger, worker.Name, worker.Id, worker.SecondsSincePulse);
        }

        var total = 0;
        var sent = new List<Task>();
        while (await deaths.SweepAsync(cancellation) is var swept && swept.Queued.Count + swept.Ended.Count > 0)
        {
            foreach (var job in swept.Ended)
            {
                FinishedJobs.Add(depth.Label(job.Queue), types.Label(job.Type), job.State == JobState.Failed ? "failed" : "cancelled");
            }

            sent.Add(wakeUps.SendAsync(swept.Queued));
            total += swept.Queued.Count + swept.Ended.Count;
        }

        await await Task.WhenAny(Task.WhenAll(sent), Task.Delay(LongestGap / 2, cancellation)); // a broker that hangs must not keep it from watching
        if (clock.GetElapsedTime(began) > LongestGap)
        {
            lastGood = 0; // it stood still within the pass
        }
        else
        {
            lastGood = clock.GetTimestamp();
        }

        return total;
    }

    private static partial class Log
    {
        [LoggerMessage(3201, LogLevel.Warning, "Worker {Worker} ({WorkerId}) is dead: no pulse for {Seconds} s. What it ran goes on elsewhere")]
        public static partial void Dead(ILogger logger, string worker, Guid workerId, double seconds);
    }
}
