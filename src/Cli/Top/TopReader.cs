using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Top;

/// <summary>Asks the API for all that <c>top</c> shows.</summary>
/// <remarks>Hand-overs are found by the jobs that have some, among the running ones and the newest: so a job that was handed over and has ended between two looks shows
/// only while it is one of the newest. The histogram of all hand-overs is in the workers' metrics.</remarks>
internal sealed class TopReader(QueueScaleClient client)
{
    /// <summary>An answer that takes longer is none.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Jobs on each of the two pages that are looked through.</summary>
    private const int Page = 100;

    /// <summary>Jobs whose runs are read in one look.</summary>
    private const int MostJobs = 20;

    private const int Kept = 50;

    private readonly Dictionary<Guid, int> seen = [];
    private List<HandOver> handOvers = [];

    public async Task<TopSnapshot> ReadAsync(CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        try
        {
            var at = DateTime.UtcNow;
            var (queues, workers) = (client.GetQueuesAsync(limit.Token), client.GetWorkersAsync(limit.Token));
            await Task.WhenAll(queues, workers, FindHandOversAsync(limit.Token));
            return new TopSnapshot(at, [.. (await queues).Items.Select(TopQueue.Of)], (await workers).Items, handOvers);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new HttpRequestException($"No answer within {Patience.TotalSeconds:0} s.");
        }
    }

    private async Task FindHandOversAsync(CancellationToken cancellation)
    {
        var pages = await Task.WhenAll(
            client.GetJobsAsync(new JobFilter { State = JobState.Running, Limit = Page }, cancellation),
            client.GetJobsAsync(new JobFilter { Limit = Page }, cancellation));
        var changed = pages.SelectMany(page => page.Items).DistinctBy(job => job.Id)
            .Where(job => Count(job) > seen.GetValueOrDefault(job.Id) && (job.State == JobState.Running || job.State.IsFinal()))
            .OrderByDescending(job => job.StartedAt).Take(MostJobs).ToArray();
        var runs = await Task.WhenAll(changed.Select(job => client.GetRunsAsync(job.Id, cancellation)));
        foreach (var (job, of) in changed.Zip(runs))
        {
            seen[job.Id] = Count(job);
            handOvers = [.. handOvers.Where(known => known.Job != job.Id), .. HandOver.Of(job, of.Items)];
        }

        handOvers = [.. handOvers.OrderByDescending(handOver => handOver.At).Take(Kept)];
    }

    private static int Count(Job job) => job.Interruptions + job.Crashes;
}
