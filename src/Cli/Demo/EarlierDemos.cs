using QueueScale.Cli.Jobs;
using QueueScale.Client;
using QueueScale.Contracts;
using QueueScale.Local;

namespace QueueScale.Cli.Demo;

/// <summary>Imports of demos that were interrupted or killed. They go on without their demo, into the table that the next one makes.</summary>
internal static class EarlierDemos
{
    /// <summary>Each demo's job carries it.</summary>
    public const string Tag = "queuescale-demo";

    /// <summary>Cancels those that are not final. When this returns, none of them writes any more.</summary>
    public static async Task EndAsync(QueueScaleClient client, Tell tell, CancellationToken stop)
    {
        await foreach (var job in client.GetAllJobsAsync(new JobFilter { Tag = Tag }, stop))
        {
            if (job.State.IsFinal()) continue;
            tell("earlier demo", $"its import {job.Id} is cancelled");
            try
            {
                await client.CancelAsync(job.Id, stop);
            }
            catch (QueueScaleException refusal) when (refusal.Status == 409)
            {
                // It has become final by itself.
            }

            await JobWatch.EndOfAsync(JobWatch.FollowAsync(client, job.Id, stop));
        }
    }
}
