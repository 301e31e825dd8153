using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class ReconciliationTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task Only_jobs_well_before_a_settled_wake_up_of_the_same_turn_have_lost_theirs()
    {
        await using var steps = new Steps(stage);
        const string queue = "lost";
        var old = await steps.SubmitAsync(2, queue);
        await AgeAsync(old, 20);
        var young = await steps.SubmitAsync(1, queue);
        await AgeAsync(young, 3);
        var lane = await EvidenceAsync(steps, queue);
        Assert.True(lane.OldestSeconds >= 20);
        Assert.Null(lane.Seen);

        var now = await stage.ScalarAsync<DateTime>("select clock_timestamp()");
        Assert.Equal(0, await steps.Reconciliation.CountLostAsync(lane, now.AddSeconds(-16), default));
        Assert.Equal(2, await steps.Reconciliation.CountLostAsync(lane, now, default));
        var requeued = await steps.Reconciliation.RequeueLostAsync(lane, now, default);
        Assert.Equal(old.Order(), requeued.Select(j => j.Id).Order());
        Assert.All(requeued, job => Assert.Equal(1, job.Dispatch));
        Assert.Equal(0, await steps.Reconciliation.CountLostAsync(lane, now, default)); // one re-send a loss
    }

    [Fact]
    public async Task Evidence_is_the_greatest_settled_wake_up_of_the_present_turn_and_never_of_the_future()
    {
        await using var steps = new Steps(stage);
        const string queue = "evidence";
        await steps.SubmitAsync(1, queue);
        using var worker = steps.RegisterWorker();
        var now = await stage.ScalarAsync<DateTime>("select clock_timestamp()");
        worker.Beat(Report(new SeenWakeUp(queue, 0, 0, now.AddSeconds(-5))));
        Assert.Equal(now.AddSeconds(-5), (await EvidenceAsync(steps, queue)).Seen);
        worker.Beat(Report(new SeenWakeUp(queue, 0, 7, now)));
        Assert.Null((await EvidenceAsync(steps, queue)).Seen); // another turn says nothing
        worker.Beat(Report(new SeenWakeUp(queue, 0, 0, now.AddHours(1))));
        Assert.InRange((await EvidenceAsync(steps, queue)).Seen!.Value, now, now.AddMinutes(1));
    }

    [Fact]
    public async Task A_rewound_lane_is_closed_before_its_oldest_job_in_a_new_turn_and_no_job_is_written()
    {
        await using var steps = new Steps(stage);
        const string queue = "rewound";
        var jobs = await steps.SubmitAsync(10, queue);
        var lane = await EvidenceAsync(steps, queue);
        await steps.Reconciliation.RewindAsync(lane, default);
        await steps.Reconciliation.RewindAsync(lane, default); // another instance with the same evidence
        var closed = (await steps.Lanes.ClosedAsync(default)).Single(l => l.Queue == queue);
        Assert.Equal(1, closed.Turn);
        await using var feed = (await steps.Lanes.TryFeedAsync(closed, default))!;
        var page = await feed.NextAsync(default);
        Assert.Equal(jobs.Order(), page.Select(j => j.Id).Order());
        Assert.All(page, job => Assert.Equal(0, job.Dispatch));
    }

    [Fact]
    public async Task One_of_several_instances_sends_a_probe()
    {
        await using var steps = new Steps(stage);
        const string queue = "probed";
        await steps.SubmitAsync(1, queue);
        var lane = await EvidenceAsync(steps, queue);
        var probes = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => steps.Reconciliation.ProbeAsync(lane, default)));
        var probe = Assert.Single(probes, p => p is not null)!;
        Assert.Empty(probe.Jobs);
        Assert.Equal(1, (await EvidenceAsync(steps, queue)).Probes);
        await steps.Reconciliation.ForgetProbesAsync(default);
        Assert.Null((await EvidenceAsync(steps, queue)).ProbeAt);
    }

    [Fact]
    public async Task A_probe_of_a_closed_lane_proves_all_that_was_sent_and_nothing_of_what_is_parked()
    {
        await using var steps = new Steps(stage);
        const string queue = "probed-closed";
        var sent = await steps.SubmitAsync(2, queue);
        await AgeAsync(sent, 10);
        var parked = await steps.SubmitAsync(1, queue);
        await AgeAsync(parked, 9); // it has waited for long, too
        var fed = await stage.ScalarAsync<DateTime>("select min(at) from jobs where id = $1", parked[0]);
        await steps.Lanes.CloseAsync(queue, 0, fed, default);
        var lane = await EvidenceAsync(steps, queue);
        var probe = (await steps.Reconciliation.ProbeAsync(lane, default))!;
        Assert.Equal(sent.Order(), (await steps.Reconciliation.RequeueLostAsync(lane, probe.At, default)).Select(j => j.Id).Order());
    }

    private static WorkerReport Report(SeenWakeUp seen) => new() { Busy = 0, Draining = false, Means = "{}", Seen = [seen] };

    private static async Task<LaneEvidence> EvidenceAsync(Steps steps, string queue) => (await steps.Reconciliation.EvidenceAsync(default)).Single(l => l.Queue == queue);

    private Task AgeAsync(Guid[] jobs, int seconds) => stage.ExecuteAsync(
        $"update jobs set at = at - interval '{seconds} s' where id = any(array[{string.Join(',', jobs.Select(j => $"'{j}'::uuid"))}])");
}
