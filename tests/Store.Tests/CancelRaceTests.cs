using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>A cancel that was answered with success is never overtaken, by whatever else happens to the job at the same time.</summary>
public sealed class CancelRaceTests(Stage stage) : IClassFixture<Stage>
{
    private const int Races = 10_000;

    [Theory]
    [InlineData("complete")]
    [InlineData("retry")]
    [InlineData("put back")]
    [InlineData("sweep")]
    [InlineData("claim")]
    public async Task A_cancel_that_was_accepted_ends_in_cancelled(string rival)
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker();
        var jobs = await steps.SubmitAsync(Races, queue: $"cancel-{rival.Replace(' ', '-')}", maxAttempts: 5);
        if (rival != "claim")
        {
            foreach (var page in jobs.Chunk(500))
            {
                Assert.Equal(page.Length, (await steps.ClaimAsync(worker.Worker, page)).Count);
            }
        }

        if (rival == "sweep")
        {
            await stage.ExecuteAsync($"update workers set dead_at = clock_timestamp() where id = '{worker.Worker}'");
        }

        var rivals = Task.Run(() => RunAsync(steps, rival, worker.Worker, jobs));
        var outcomes = new CancelOutcome[Races];
        await Parallel.ForAsync(0, Races, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (turn, cancellation) =>
        {
            var i = turn % 2 == 0 ? turn : Races - turn; // half of them from the other end, so that neither side is always first
            outcomes[i] = await steps.Cancellations.CancelAsync(jobs[i], 1, cancellation);
        });
        await rivals;

        // Whatever still runs was marked; its run's end makes it cancelled.
        foreach (var page in jobs.Chunk(500))
        {
            await Task.WhenAll(page.Select(job => steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero))));
        }

        var states = (await stage.QueryAsync<string[]>("select array[id::text, state::text] from jobs where id = any($1)", jobs)).ToDictionary(r => Guid.Parse(r[0]), r => (JobState)short.Parse(r[1]));
        for (var i = 0; i < Races; i++)
        {
            Assert.True(outcomes[i] is not (CancelOutcome.Cancelled or CancelOutcome.Accepted) || states[jobs[i]] == JobState.Cancelled, $"job {jobs[i]} was cancelled with success and is {states[jobs[i]]}");
        }

        Assert.Contains(outcomes, outcome => outcome is CancelOutcome.Cancelled or CancelOutcome.Accepted);
    }

    private static async Task RunAsync(Steps steps, string rival, Guid worker, Guid[] jobs)
    {
        switch (rival)
        {
            case "complete":
                await Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (job, _) => await steps.Completions.CompleteAsync(job, 1, "1", null));
                break;
            case "retry":
                await Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (job, _) =>
                    await steps.Failures.FailAsync(job, 1, Verdict.Retry, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero));
                break;
            case "put back":
                await Parallel.ForEachAsync(jobs, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (job, _) =>
                    await steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero)));
                break;
            case "sweep":
                while ((await steps.Deaths.SweepAsync(CancellationToken.None)).Queued.Count > 0)
                {
                }

                break;
            case "claim":
                foreach (var page in jobs.Chunk(100))
                {
                    await steps.ClaimAsync(worker, page);
                }

                break;
        }
    }
}
