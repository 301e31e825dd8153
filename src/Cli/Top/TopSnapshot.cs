using QueueScale.Contracts;

namespace QueueScale.Cli.Top;

/// <summary>What the API answered of the whole system, as <c>top --json</c> prints it.</summary>
/// <param name="At">When it was asked.</param>
/// <param name="Queues">The queues.</param>
/// <param name="Workers">The live workers.</param>
/// <param name="HandOvers">The last hand-overs that could be seen, the newest first.</param>
internal sealed record TopSnapshot(DateTime At, IReadOnlyList<TopQueue> Queues, IReadOnlyList<WorkerInfo> Workers, IReadOnlyList<HandOver> HandOvers);

/// <summary>A queue and what to think of it.</summary>
/// <param name="Status">idle, working, paused, backlogged, or unserved: jobs wait and no worker serves it.</param>
/// <param name="Queue">Its figures.</param>
internal sealed record TopQueue(string Status, QueueInfo Queue)
{
    /// <summary>A longer drain time is a backlog: the default of Worker:Readiness:MaxDrainTime.</summary>
    private static readonly TimeSpan MaxDrainTime = TimeSpan.FromMinutes(5);

    /// <summary>The worst first.</summary>
    public static readonly string[] Statuses = ["unserved", "backlogged", "paused", "working", "idle"];

    public static TopQueue Of(QueueInfo queue) => new(
        queue.Paused ? "paused"
        : queue is { Ready: > 0, Workers: 0 } ? "unserved"
        : queue.DrainSeconds > MaxDrainTime.TotalSeconds ? "backlogged"
        : queue.Ready + queue.Running > 0 ? "working" : "idle",
        queue);
}

/// <summary>A run that took over from one that its worker could not finish.</summary>
/// <param name="At">When the new run began.</param>
/// <param name="Job">The job.</param>
/// <param name="Type">Its type.</param>
/// <param name="From">The worker that could not finish.</param>
/// <param name="How">How its run ended: interrupted, crashed or lost.</param>
/// <param name="To">The worker that went on.</param>
/// <param name="Seconds">From the reason (SIGTERM, or the dead worker's last pulse) to the start of the new run.</param>
internal sealed record HandOver(DateTime At, Guid Job, string Type, string From, RunEnding How, string To, double Seconds)
{
    /// <summary>The hand-overs of a job, from its runs.</summary>
    public static IEnumerable<HandOver> Of(Job job, IReadOnlyList<Run> runs) =>
        from pair in runs.Zip(runs.Skip(1))
        where pair.Second.HandoverSeconds is not null && pair.First.How is not null
        select new HandOver(pair.Second.StartedAt, job.Id, job.Type, pair.First.Worker, pair.First.How!.Value, pair.Second.Worker, Math.Round(pair.Second.HandoverSeconds!.Value, 3));
}
