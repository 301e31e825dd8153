namespace QueueScale.Contracts;

/// <summary>A wake-up: names queued jobs for a worker to claim. It is never the job itself; PostgreSQL is.</summary>
/// <param name="Queue">The named queue.</param>
/// <param name="Lane">0 the normal lane, 1 the front lane (high priority, hand-overs, jobs given back).</param>
/// <param name="Turn">The lane's turn when this was sent; it rises whenever the lane is sent again from an earlier place.</param>
/// <param name="At">The least time at which one of its jobs was queued, by the database's clock. All jobs of the same lane and turn that
/// were queued well before it have been sent before it.</param>
/// <param name="Jobs">The jobs to claim; none makes it a probe, which only proves that the lane moves.</param>
public sealed record JobsReady(string Queue, short Lane, int Turn, DateTime At, IReadOnlyList<ReadyJob> Jobs);

/// <summary>One job of a wake-up.</summary>
/// <param name="Id">The job.</param>
/// <param name="Dispatch">The number of this wake-up of the job; when the job has a higher one by now, this wake-up is void.</param>
public sealed record ReadyJob(Guid Id, int Dispatch);
