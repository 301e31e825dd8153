using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class LaneTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task Jobs_of_a_closed_lane_are_parked_and_fed_in_order_until_it_opens_again()
    {
        await using var steps = new Steps(stage);
        const string queue = "parked";
        Guid[] before = [(await steps.SubmitAsync(1, queue))[0], (await steps.SubmitAsync(1, queue))[0], (await steps.SubmitAsync(1, queue))[0]];
        Assert.All(steps.TakeWoken(), job => Assert.True(job.Send));

        var at = await stage.ScalarAsync<DateTime>("select at from jobs where id = $1", before[1]);
        Assert.True(await steps.Lanes.CloseAsync(queue, 0, at, default));
        Assert.False(await steps.Lanes.CloseAsync(queue, 0, at.AddSeconds(1), default)); // closed earlier already
        var after = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            after.AddRange(await steps.SubmitAsync(1, queue));
        }

        Assert.All(steps.TakeWoken(), job => Assert.False(job.Send));

        var closed = Assert.Single(await steps.Lanes.ClosedAsync(default), lane => lane.Queue == queue);
        Assert.Equal(1, closed.Turn);
        await using (var feed = (await steps.Lanes.TryFeedAsync(closed, default))!)
        {
            Assert.Null(await steps.Lanes.TryFeedAsync(closed, default)); // one feeder at a time
            Assert.Equal(1, await feed.OutstandingAsync(100, default));
            var page = await feed.NextAsync(default);
            Assert.Equal([before[1], before[2], .. after], page.Select(j => j.Id));
            Assert.All(page, job => Assert.Equal((1, true), (job.Turn, job.Send)));
            Assert.True(await feed.AdvanceAsync(page[^1].At, default));
            Assert.Empty(await feed.NextAsync(default));
            Assert.True(await feed.OpenAsync(default));
        }

        Assert.DoesNotContain(await steps.Lanes.ClosedAsync(default), lane => lane.Queue == queue);
        await steps.SubmitAsync(1, queue);
        var sent = Assert.Single(steps.TakeWoken());
        Assert.Equal((true, 1), (sent.Send, sent.Turn));
    }

    [Fact]
    public async Task A_feeder_whose_lane_was_moved_meanwhile_gives_up()
    {
        await using var steps = new Steps(stage);
        const string queue = "moved";
        await steps.SubmitAsync(2, queue);
        var at = steps.TakeWoken()[0].At;
        await steps.Lanes.CloseAsync(queue, 0, at, default);
        await using var feed = (await steps.Lanes.TryFeedAsync((await steps.Lanes.ClosedAsync(default)).Single(l => l.Queue == queue), default))!;
        await steps.Lanes.CloseAsync(queue, 0, at.AddSeconds(-1), default);
        Assert.False(await feed.AdvanceAsync(at, default));
    }

    [Fact]
    public async Task A_lane_with_more_than_its_window_is_closed_from_now_on()
    {
        await using var steps = new Steps(stage);
        const string queue = "overfull";
        await steps.SubmitAsync(30, queue);
        Assert.Equal(0, await steps.Lanes.CloseOverfullAsync(30, default));
        await steps.SubmitAsync(1, queue);
        Assert.Equal(1, await steps.Lanes.CloseOverfullAsync(30, default));
        steps.TakeWoken();
        await steps.SubmitAsync(1, queue);
        Assert.False(Assert.Single(steps.TakeWoken()).Send);
        var closed = (await steps.Lanes.ClosedAsync(default)).Single(l => l.Queue == queue);
        Assert.Equal(0, closed.Turn); // nothing was lost: what was sent before is alive
        await using var feed = (await steps.Lanes.TryFeedAsync(closed, default))!;
        Assert.Equal(31, await feed.OutstandingAsync(100, default));
        Assert.Single(await feed.NextAsync(default));
    }

    [Fact]
    public async Task Given_back_jobs_move_to_the_front_lane_under_a_new_dispatch()
    {
        await using var steps = new Steps(stage);
        var jobs = await steps.SubmitAsync(3, "given-back");
        steps.TakeWoken();
        await steps.PutBacks.GiveBackAsync(jobs.Select(id => new ReadyJob(id, 0)), lane: 0, default);
        await steps.PutBacks.GiveBackAsync(jobs.Select(id => new ReadyJob(id, 0)), lane: 0, default); // void by now
        var woken = steps.TakeWoken();
        Assert.Equal(jobs.Order(), woken.Select(j => j.Id).Order());
        Assert.All(woken, job => Assert.Equal((QueueName.Front, 1), (job.Lane, job.Dispatch)));
        Assert.Equal((0L, 3L), (await LaneReadyAsync(0), await LaneReadyAsync(1)));

        Task<long> LaneReadyAsync(short lane) =>
            stage.ScalarAsync<long>("""select sum(entered - "left")::bigint from queue_counts where queue = 'given-back' and lane = $1""", lane);
    }
}
