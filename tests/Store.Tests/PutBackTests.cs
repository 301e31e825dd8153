using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>What a run that was put back counts as.</summary>
public sealed class PutBackTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task Only_a_run_that_is_handed_over_begins_a_hand_over()
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker();
        var jobs = await steps.SubmitAsync(2);
        await steps.ClaimAsync(worker.Worker, jobs);
        await steps.PutBacks.PutBackAsync(new Unfinished(jobs[0], 1, RunEnding.Interrupted, Counts: true, TimeSpan.FromSeconds(3)));
        await steps.PutBacks.PutBackAsync(new Unfinished(jobs[1], 1, RunEnding.Interrupted, Counts: false, Since: null)); // it waited for a slot
        Assert.InRange(await stage.ScalarAsync<double>("select extract(epoch from ended_at - handover_from)::float8 from runs where job = $1", jobs[0]), 2.9, 3.1);
        Assert.True(await stage.ScalarAsync<bool>("select handover_from is null from runs where job = $1", jobs[1]));
    }
}
