using System.Diagnostics.Metrics;

namespace QueueScale.Hosting;

/// <summary>Counts jobs that have become final, where that happens: in workers, and in the API for cancelled waiting jobs and for those that a death ends.</summary>
public static class FinishedJobs
{
    private static readonly Meter Meter = new("QueueScale.Hosting");

    private static readonly Counter<long> Finished = Meter.CreateCounter<long>("queuescale.jobs.finished", "{job}", "Jobs that have become final.");

    private static readonly string[] Outcomes = ["succeeded", "failed", "cancelled"];

    /// <summary>Shows 0 of each outcome: a counter that is not there yet has no rate when it comes.</summary>
    public static void Expect(string queue, string type)
    {
        foreach (var outcome in Outcomes)
        {
            Finished.Add(0, new("queue", queue), new("type", type), new("outcome", outcome));
        }
    }

    /// <param name="queue">The job's queue, as a label.</param>
    /// <param name="type">The job's type, as a label.</param>
    /// <param name="outcome">succeeded, failed or cancelled.</param>
    /// <param name="jobs">How many.</param>
    public static void Add(string queue, string type, string outcome, long jobs = 1) => Finished.Add(jobs, new("queue", queue), new("type", type), new("outcome", outcome));
}

/// <summary>Labels whose values callers could choose.</summary>
public static class Label
{
    /// <summary>Stands for all queues and types that no worker has registered or served, so that nobody can make series.</summary>
    public const string Other = "_other";
}
