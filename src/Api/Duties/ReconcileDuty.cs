using QueueScale.Bus;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Finds queued jobs whose wake-up was lost, and sends them again; where nothing flows, sends a probe to learn whether anything was lost.</summary>
internal sealed partial class ReconcileDuty(Reconciliation reconciliation, WakeUps wakeUps, TimeProvider clock, ILogger<ReconcileDuty> logger)
    : DutyLoop(TimeSpan.FromSeconds(1), clock, logger)
{
    /// <summary>A delivery may be held this long before it is settled or goes back, so only evidence this old counts.</summary>
    private static readonly TimeSpan EvidenceAge = TimeSpan.FromSeconds(2);

    /// <summary>A job that waits longer without evidence is worth a probe: the margin and a pass.</summary>
    private const double ProbeAfterSeconds = 6;

    private const double FirstProbePauseSeconds = 60;
    private const double LongestProbePauseSeconds = 600;

    private readonly TimeProvider clock = clock;
    private readonly ILogger logger = logger;
    private readonly Dictionary<(string Queue, short Lane, int Turn), List<(long At, DateTime Seen)>> evidence = [];

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        var lanes = await reconciliation.EvidenceAsync(cancellation);
        foreach (var gone in evidence.Keys.Except(lanes.Select(l => (l.Queue, l.Lane, l.Turn))).ToArray())
        {
            evidence.Remove(gone);
        }

        var total = 0;
        foreach (var lane in lanes.Where(l => l.OldestSeconds is not null))
        {
            total += await ReconcileAsync(lane, cancellation);
        }

        return total;
    }

    private async Task<int> ReconcileAsync(LaneEvidence lane, CancellationToken cancellation)
    {
        if (OldEnough(lane) is { } seen && await reconciliation.CountLostAsync(lane, seen, cancellation) is > 0 and var lost)
        {
            if (lost >= Reconciliation.PageSize)
            {
                await reconciliation.RewindAsync(lane, cancellation);
                ApiMetrics.Reconciled.Add(lost, ApiMetrics.ManyLost);
                Log.Rewound(logger, lane.Queue, lane.Lane, lane.Turn + 1);
                return lost;
            }

            var queued = await reconciliation.RequeueLostAsync(lane, seen, cancellation);
            ApiMetrics.Reconciled.Add(queued.Count, ApiMetrics.Lost);
            await wakeUps.SendAsync(queued);
            Log.Requeued(logger, queued.Count, lane.Queue, lane.Lane);
            return queued.Count;
        }

        if (lane.OldestSeconds > ProbeAfterSeconds && MayProbe(lane) && await reconciliation.ProbeAsync(lane, cancellation) is { } probe && !await wakeUps.TrySendAsync([probe]))
        {
            await reconciliation.NoteUnsentAsync(probe, cancellation);
        }

        return 0;
    }

    /// <summary>What had been seen of the lane's present turn a while ago.</summary>
    private DateTime? OldEnough(LaneEvidence lane)
    {
        if (lane.Seen is not { } seen)
        {
            return null;
        }

        var key = (lane.Queue, lane.Lane, lane.Turn);
        if (!evidence.TryGetValue(key, out var samples))
        {
            evidence.Add(key, samples = []);
        }

        samples.Add((clock.GetTimestamp(), seen));
        var old = samples.FindLastIndex(sample => clock.GetElapsedTime(sample.At) >= EvidenceAge);
        samples.RemoveRange(0, Math.Max(0, old));
        return old >= 0 ? samples[0].Seen : null;
    }

    /// <summary>A probe that waits behind others is unanswered for long; one that was answered or could not be sent is repeated soon.</summary>
    private static bool MayProbe(LaneEvidence lane) =>
        lane.ProbeAt is null
        || ((lane.Seen >= lane.ProbeAt || lane.Probes == 0) && lane.ProbeAgeSeconds > ProbeAfterSeconds)
        || lane.ProbeAgeSeconds > Math.Min(LongestProbePauseSeconds, FirstProbePauseSeconds * Math.Pow(2, lane.Probes - 1));

    private static partial class Log
    {
        [LoggerMessage(3301, LogLevel.Warning, "{Jobs} jobs of lane {Queue}/{Lane} had lost their wake-ups; they are sent again")]
        public static partial void Requeued(ILogger logger, int jobs, string queue, short lane);

        [LoggerMessage(3302, LogLevel.Warning, "Lane {Queue}/{Lane} has lost many wake-ups; it is sent again from its oldest job, turn {Turn}")]
        public static partial void Rewound(ILogger logger, string queue, short lane, int turn);
    }
}
