using System.Diagnostics;
using System.Runtime.CompilerServices;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Jobs;

/// <summary>Follows a job to its end.</summary>
internal static class JobWatch
{
    private static readonly TimeSpan UsualPause = TimeSpan.FromMilliseconds(150);

    // An API that is being replaced is away for a moment.
    private static readonly TimeSpan AwayPatience = TimeSpan.FromSeconds(30);

    /// <summary>The job whenever it has changed, the last time when it is final.</summary>
    public static IAsyncEnumerable<JobSnapshot> FollowAsync(QueueScaleClient client, Guid id, CancellationToken cancellation = default) =>
        FollowAsync(client, id, UsualPause, cancellation);

    /// <summary>The same, looking at the job after each <paramref name="pause"/>.</summary>
    public static async IAsyncEnumerable<JobSnapshot> FollowAsync(QueueScaleClient client, Guid id, TimeSpan pause, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        JobSnapshot? last = null;
        var answered = Stopwatch.StartNew();
        for (; ; await Task.Delay(pause, cancellation))
        {
            if (await LookAsync(client, id, last, answered.Elapsed < AwayPatience, cancellation) is not { } now) continue;
            answered.Restart();
            if (last is null || Differs(last, now)) yield return now;
            if (now.IsFinal) yield break;
            last = now;
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

    private static async Task<JobSnapshot?> LookAsync(QueueScaleClient client, Guid id, JobSnapshot? last, bool patient, CancellationToken cancellation)
    {
        try
        {
            var job = await client.GetJobNowAsync(id, cancellation);
            var sameRun = last is not null && last.Job.StartedAt == job.StartedAt && last.Job.State == job.State;
            return new JobSnapshot(job, sameRun ? last!.Runs : (await client.GetRunsAsync(id, cancellation)).Items);
        }
        catch (Exception error) when (patient && last is not null && (error is HttpRequestException or QueueScaleException { Status: 429 or >= 500 }))
        {
            return null; // asked again
        }
    }

    private static bool Differs(JobSnapshot one, JobSnapshot other) =>
        one.Job.State != other.Job.State || one.Job.StartedAt != other.Job.StartedAt || one.Job.Progress != other.Job.Progress || one.Runs.Count != other.Runs.Count;
}
