using System.Diagnostics.Metrics;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>What a worker counts and measures. Names and labels: docs/telemetry.md.</summary>
internal static class WorkerMetrics
{
    public static readonly Meter Meter = new("QueueScale.Worker");

    public static readonly Counter<long> Checkpoints = Meter.CreateCounter<long>("queuescale.checkpoints", "{checkpoint}", "Checkpoints that were committed.");

    public static readonly Counter<long> LateWritesRefused = Meter.CreateCounter<long>(
        "queuescale.late_writes_refused", "{write}", "Writes of runs that were no longer their job's own; they changed nothing.");

    /// <summary>The kinds of checkpoints: committed with those of other runs, or in a transaction of the handler's own.</summary>
    public static readonly KeyValuePair<string, object?> Grouped = new("kind", "grouped"), Transactional = new("kind", "transactional");

    private static readonly InstrumentAdvice<double> ToAnHour = new() { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600] };

    private static readonly Histogram<double> Wait = Meter.CreateHistogram(
        "queuescale.job.wait", "s", "From a job's submission, or the time it was to wait for, to the start of its first run.", tags: null, ToAnHour);

    private static readonly Histogram<double> Run = Meter.CreateHistogram("queuescale.job.run", "s", "How long handlers ran, however that ended.", tags: null, ToAnHour);

    private static readonly Histogram<double> HandOver = Meter.CreateHistogram(
        "queuescale.handover", "s", "From the reason of a hand-over (SIGTERM, the dead worker's last pulse) to the start of the next run.", tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60] });

    private static readonly Counter<long> Resumes = Meter.CreateCounter<long>("queuescale.resumes", "{run}", "Runs that follow an earlier run of their job.");

    /// <summary>Shows 0 of what may happen: a counter that is not there yet has no rate when it comes.</summary>
    public static void Expect(JobCatalog catalog)
    {
        LateWritesRefused.Add(0);
        Checkpoints.Add(0, Grouped);
        Checkpoints.Add(0, Transactional);
        foreach (var reason in (string[])["drain", "put_back", "crash", "lost", "snooze", "retry"])
        {
            Resumes.Add(0, new KeyValuePair<string, object?>("reason", reason));
        }

        foreach (var type in catalog.All)
        {
            FinishedJobs.Expect(type.Queue, type.Name);
        }
    }

    /// <summary>A handler is about to be called.</summary>
    /// <param name="job">Its job.</param>
    /// <param name="sinceClaim">How long the job has waited for a slot.</param>
    public static void Started(ClaimedJob job, TimeSpan sinceClaim)
    {
        if (job.WaitSeconds is { } waited)
        {
            Wait.Record(waited + sinceClaim.TotalSeconds, new KeyValuePair<string, object?>("queue", job.Queue));
        }

        if (job.Earlier is { } earlier)
        {
            var reason = new KeyValuePair<string, object?>("reason", Reason(earlier));
            Resumes.Add(1, reason);
            if (earlier.HandOverSeconds is { } seconds)
            {
                HandOver.Record(seconds + sinceClaim.TotalSeconds, reason);
            }
        }
    }

    /// <summary>A handler has returned.</summary>
    public static void Ran(ClaimedJob job, TimeSpan took) => Run.Record(took.TotalSeconds, new("queue", job.Queue), new("type", job.Type));

    private static string Reason(EarlierRun earlier) => earlier.How switch
    {
        RunEnding.Interrupted when earlier.HandOverSeconds is null => "put_back",
        RunEnding.Interrupted => "drain",
        RunEnding.Crashed => "crash",
        RunEnding.Lost => "lost",
        RunEnding.Snoozed => "snooze",
        _ => "retry",
    };
}
