using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.TestApi;

/// <summary>Sends the wake-ups of jobs first, and commits the jobs when these have had time to arrive.</summary>
internal sealed class EarlySubmissions(Database database, WakeUps wakeUps) : Submissions(database, _ => { }, TimeSpan.FromSeconds(2))
{
    public override async Task<Submitted[]> SubmitAsync(IReadOnlyList<NewJob> jobs)
    {
        while (!await wakeUps.TrySendAsync(wakeUps.Messages([.. jobs.Select(job => new QueuedJob(job.Id, 0, job.Type, job.Queue, QueueName.Normal, 0, DateTime.UtcNow, Send: true))])))
        {
            await Task.Delay(100);
        }

        await Task.Delay(1500); // the broker has them, and the worker takes them
        return await base.SubmitAsync(jobs);
    }
}
