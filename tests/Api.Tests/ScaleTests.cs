namespace QueueScale.Tests;

/// <summary>What an autoscaler reads, reckoned by hand from rows made by hand. The target drain time is its default, one minute.</summary>
[Collection(OneApi.Name)]
public sealed class ScaleTests(RunningApi api)
{
    private readonly string queue = Servers.NewName();

    [Fact]
    public async Task A_queue_that_nobody_has_used_answers_zeros() =>
        Assert.Equal(
            """{"queue":"nobody-ever","ready":0,"running":0,"backlog":0,"slots":0,"workers":0,"oldestSeconds":0,"drainSeconds":0,"desiredWorkers":0}""",
            (await api.GetAsync("v1/queues/nobody-ever/scale")).Body);

    [Theory]
    [InlineData("Bad")]
    [InlineData("a b")]
    [InlineData("a%2Fb")]
    [InlineData("-")]
    public async Task What_cannot_be_a_queue_is_404(string name) => (await api.GetAsync($"v1/queues/{name}/scale")).MustRefuse(404);

    [Fact]
    public async Task Without_any_worker_the_figures_are_those_of_one_with_32_slots_and_runs_of_a_second()
    {
        await JobsAsync(ready: 320, running: 0);
        var scale = await ScaleAsync();
        Assert.Equal((320, 0, 320, 0, 0), Counts(scale));
        Assert.Equal(10, Number(scale, "drainSeconds")); // 320 x 1 s / 32
        Assert.Equal(1, Number(scale, "desiredWorkers")); // ceil(320 x 1 / 60 / 32)
    }

    [Fact]
    public async Task With_workers_and_a_known_mean_the_figures_are_theirs()
    {
        await WorkerAsync(slots: 8, means: 3.0);
        await WorkerAsync(slots: 4, means: 1.0);
        await WorkerAsync(slots: 99, means: 9.0, sinceSeconds: 60); // no pulse for longer than its lease
        await WorkerAsync(slots: 99, means: 9.0, more: ", dead_at = clock_timestamp()");
        await JobsAsync(ready: 600, running: 12);
        var scale = await ScaleAsync();
        Assert.Equal((600, 12, 612, 12, 2), Counts(scale));
        Assert.Equal(100, Number(scale, "drainSeconds")); // 600 x 2 s / 12
        Assert.Equal(6, Number(scale, "desiredWorkers")); // ceil((600 x 2 / 60 + 12) / 6) = ceil(32 / 6)
    }

    [Fact]
    public async Task A_worker_that_has_measured_nothing_counts_with_its_slots_and_not_in_the_mean()
    {
        await WorkerAsync(slots: 10, means: null);
        await JobsAsync(ready: 30, running: 0);
        Assert.Equal(3, Number(await ScaleAsync(), "drainSeconds")); // unknown: 1 s
        await WorkerAsync(slots: 10, means: 0.5);
        Assert.Equal(0.75, Number(await ScaleAsync(), "drainSeconds")); // 30 x 0.5 / 20
    }

    [Fact]
    public async Task When_all_workers_are_gone_the_last_ones_figures_still_hold()
    {
        await WorkerAsync(slots: 5, means: 2.0, sinceSeconds: 3000);
        await WorkerAsync(slots: 2, means: 4.0, sinceSeconds: 1000);
        await JobsAsync(ready: 90, running: 0);
        var scale = await ScaleAsync();
        Assert.Equal((90, 0, 90, 0, 0), Counts(scale));
        Assert.Equal(180, Number(scale, "drainSeconds")); // 90 x 4 s / 2
        Assert.Equal(3, Number(scale, "desiredWorkers")); // ceil(90 x 4 / 60 / 2)
    }

    [Fact]
    public async Task Running_jobs_alone_keep_their_workers_and_nothing_keeps_none()
    {
        await WorkerAsync(slots: 4, means: 3600);
        Assert.Equal((0, 0.0, 0.0), (await DesiredAsync(), Number(await ScaleAsync(), "drainSeconds"), Number(await ScaleAsync(), "oldestSeconds")));
        await JobsAsync(ready: 0, running: 5);
        Assert.Equal(2, await DesiredAsync());
        Assert.Equal(0, Number(await ScaleAsync(), "drainSeconds"));
        await JobsAsync(ready: 1, running: 0);
        Assert.Equal(17, await DesiredAsync()); // ceil((3600 / 60 + 5) / 4)
    }

    [Fact]
    public async Task The_oldest_job_is_the_one_that_was_queued_first_in_either_lane_and_jobs_that_wait_for_their_time_do_not_count()
    {
        await JobsAsync(ready: 1, running: 0, at: "clock_timestamp() - '50 s'::interval");
        await JobsAsync(ready: 1, running: 0, at: "clock_timestamp() - '90 s'::interval", lane: 1);
        await api.AcceptedAsync($"\"queue\": \"{queue}\", \"delay\": \"PT1H\"");
        var scale = await ScaleAsync();
        Assert.InRange(Number(scale, "oldestSeconds"), 90, 100);
        Assert.Equal(2, Number(scale, "backlog"));
        var listed = Assert.Single((await api.GetAsync("v1/queues")).Json.GetProperty("items").EnumerateArray(), q => q.GetProperty("name").GetString() == queue);
        Assert.Equal((2.0, 0.0, 1.0), (Number(listed, "ready"), Number(listed, "running"), Number(listed, "waiting")));
        Assert.InRange(Number(listed, "oldestSeconds"), 90, 100);
    }

    [Fact]
    public async Task A_list_of_queues_says_how_fast_each_fills_and_empties_and_that_ends_when_nothing_moves()
    {
        await JobsAsync(ready: 1, running: 0);
        await Waiting.UntilAsync(async () => await RatesAsync() is { Queued: > 0 });
        await Waiting.UntilAsync(async () => await RatesAsync() is { Queued: 0, Ended: 0 }, patience: TimeSpan.FromSeconds(40)); // the first job is out of sight by then
        await JobsAsync(ready: 50, running: 0);
        await api.Stage.ExecuteAsync($"""
            update queue_counts set "left" = "left" + 20, started = started + 20, ended = ended + 20
            where queue = '{queue}' and shard = (select min(shard) from queue_counts where queue = '{queue}')
            """);
        (double Queued, double Ended)? seen = null;
        await Waiting.UntilAsync(async () => (seen = await RatesAsync()) is { Queued: > 0, Ended: > 0 });
        Assert.Equal(2.5, seen!.Value.Queued / seen.Value.Ended, 0.1);
        Assert.InRange(seen.Value.Queued, 50 / 15.0, 50 / 0.5); // the window is ten seconds, and a busy machine's reading comes late
        await Waiting.UntilAsync(async () => await RatesAsync() is { Queued: 0, Ended: 0 }, patience: TimeSpan.FromSeconds(40));
    }

    [Fact]
    public async Task A_clock_that_was_set_back_makes_no_negative_age()
    {
        await JobsAsync(ready: 1, running: 0, at: "clock_timestamp() + '1 h'::interval");
        Assert.Equal(0, Number(await ScaleAsync(), "oldestSeconds"));
    }

    [Fact]
    public async Task A_live_worker_is_listed_and_others_are_not()
    {
        await WorkerAsync(slots: 7, means: 1);
        await WorkerAsync(slots: 1, means: 1, sinceSeconds: 60);
        var mine = (await api.GetAsync("v1/workers")).Json.GetProperty("items").EnumerateArray().Where(w => w.GetProperty("queues").EnumerateArray().Any(q => q.GetString() == queue)).ToArray();
        var worker = Assert.Single(mine);
        Assert.Equal(["name", "host", "pid", "version", "queues", "slots", "busy", "draining", "startedAt"], worker.EnumerateObject().Select(m => m.Name));
        Assert.Equal(7, Number(worker, "slots"));
        Assert.EndsWith("Z", worker.GetProperty("startedAt").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_live_worker_of_a_name_is_asked_to_drain()
    {
        await WorkerAsync(slots: 3, means: null, more: $", name = '{queue}'");
        await WorkerAsync(slots: 1, means: null, sinceSeconds: 60, more: $", name = '{queue}'");
        foreach (var _ in Enumerable.Range(0, 2)) // once more changes nothing
        {
            var answer = await api.PostAsync($"v1/workers/{queue}/drain", []);
            var asked = Assert.Single(answer.Json.GetProperty("items").EnumerateArray());
            Assert.Equal((200, 3.0, true), (answer.Status, Number(asked, "slots"), asked.GetProperty("draining").GetBoolean()));
        }

        await WorkerAsync(slots: 4, means: null, more: $", name = '{queue}'"); // its successor
        Assert.Equal([3, 4], await api.Stage.QueryAsync<int>("select slots from workers where name = $1 and pulse_at > clock_timestamp() - lease order by lock_key", queue));
        Assert.Equal([true, false, false], await api.Stage.QueryAsync<bool>("select drain_asked from workers where name = $1 order by lock_key", queue));
        (await api.PostAsync("v1/workers/no-such-worker/drain", [])).MustRefuse(404);
    }

    private async Task<JsonElement> ScaleAsync() => (await api.GetAsync($"v1/queues/{queue}/scale")).Json;

    private async Task<(double Queued, double Ended)?> RatesAsync() =>
        (await api.GetAsync("v1/queues")).Json.GetProperty("items").EnumerateArray().Single(q => q.GetProperty("name").GetString() == queue).TryGetProperty("rates", out var rates)
            ? (Number(rates, "queuedPerSecond"), Number(rates, "endedPerSecond"))
            : null;

    private async Task<int> DesiredAsync() => (await ScaleAsync()).GetProperty("desiredWorkers").GetInt32();

    /// <summary>Jobs that no worker could run: the queue is served by hand-made rows only.</summary>
    private Task JobsAsync(int ready, int running, string at = "clock_timestamp()", int lane = 0) => api.Stage.ExecuteAsync($"""
        insert into jobs (id, tenant, type, queue, lane, state, max_attempts, input, at, worker)
        select gen_random_uuid(), 1, 'test.any', '{queue}', {lane}, case when n <= {ready} then 1 else 2 end, 3, '{"{}"}', {at}, gen_random_uuid() from generate_series(1, {ready + running}) n
        """);

    private Task WorkerAsync(int slots, double? means, int sinceSeconds = 0, string more = "")
    {
        var measured = JsonSerializer.Serialize(new { types = new { }, queues = means is { } mean ? new Dictionary<string, double> { [queue] = mean } : [] });
        return api.Stage.ExecuteAsync($$"""
            insert into workers (id, name, host, pid, version, queues, slots, lease) values (gen_random_uuid(), 'by-hand', 'h', 1, '0', '{"{{queue}}", "another"}', {{slots}}, '30 s');
            update workers set pulse_at = clock_timestamp() - '{{sinceSeconds}} s'::interval, means = '{{measured}}'{{more}} where id = (select id from workers order by lock_key desc limit 1)
            """);
    }

    private static (int Ready, int Running, int Backlog, int Slots, int Workers) Counts(JsonElement scale) =>
        ((int)Number(scale, "ready"), (int)Number(scale, "running"), (int)Number(scale, "backlog"), (int)Number(scale, "slots"), (int)Number(scale, "workers"));

    private static double Number(JsonElement of, string member) => of.GetProperty(member).GetDouble();
}
