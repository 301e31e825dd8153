using System.Runtime.CompilerServices;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>Follows a job to its end.</summary>
internal static class JobWatch
{
    /// <summary>The job whenever it has changed, the last time, as a whole, when it is final.</summary>
    public static async IAsyncEnumerable<JobSnapshot> FollowAsync(QueueScaleClient client, Guid id, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        JobSnapshot? last = null;
        await foreach (var job in client.WatchAsync(id, cancellation))
        {
            var sameRun = last is not null && last.Job.StartedAt == job.StartedAt && last.Job.State == job.State;
            last = new JobSnapshot(job.State.IsFinal() ? await client.GetJobAsync(id, cancellation) : job, sameRun ? last!.Runs : (await client.GetRunsAsync(id, cancellation)).Items);
            yield return last;
        }
    }

    /// <summary>Follows it silently.</summary>
    /// <returns>The final job.</returns>
    public static async Task<Job> EndOfAsync(IAsyncEnumerable<JobSnapshot> job)
    {
        Job? last = null;
        await foreach (var now in job) last = now.Job;
        return last!;
    }
}
