using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>The steps reach each job by its primary key and in the order of the ids, on an empty and never analysed table as on a large one.</summary>
public sealed class PlanTests(Stage stage) : IClassFixture<Stage>
{
    [Theory]
    [InlineData(0)]
    [InlineData(1_000_000)]
    public async Task Every_step_finds_its_jobs_by_primary_key_alone(int queued)
    {
        await stage.ExecuteAsync("alter table jobs set (autovacuum_enabled = off)"); // what it reads must not be counted as ours
        if (queued > 0)
        {
            await stage.ExecuteAsync(
                $$"""
                insert into jobs (id, tenant, type, queue, state, max_attempts, input, at)
                select gen_random_uuid(), 1, 'test', 'other', 1, 3, '{}', clock_timestamp() from generate_series(1, {{queued}})
                """);
        }

        await DepthIsCheapAsync(queued);
        var before = await ScansAsync();
        await using (var steps = new Steps(stage))
        {
            using var worker = steps.RegisterWorker();
            for (var round = 0; round < 10; round++)
            {
                var jobs = await steps.SubmitAsync(200);
                await steps.ClaimAsync(worker.Worker, jobs);
                await Task.WhenAll(jobs.Select(job => steps.Checkpoints.SaveAsync(job, 1, 1, "1", null, default)));
                await Task.WhenAll(jobs.Select((job, i) => (i % 4) switch
                {
                    0 => steps.Completions.CompleteAsync(job, 1, "1", null),
                    1 => steps.Failures.FailAsync(job, 1, Verdict.Retry, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.FromHours(1)),
                    2 => steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero)),
                    _ => (Task)steps.Cancellations.CancelAsync(job, 1, default),
                }));
            }
        }

        var after = await ScansAsync();
        Assert.True(after.PrimaryKey >= before.PrimaryKey + 6000, $"{after} after {before}");
        Assert.Equal(before.Sequential, after.Sequential);
        Assert.Equal(before.OtherIndexes, after.OtherIndexes);
        if (queued > 0)
        {
            await KeysAreCheapAsync();
            await ListsAreCheapAsync();
            await DutiesAreCheapAsync();
        }
    }

    [Fact]
    public async Task Batches_with_the_same_jobs_in_another_order_never_deadlock()
    {
        var deadlocksBefore = await stage.DeadlocksAsync();
        await using (var one = new Steps(stage))
        await using (var two = new Steps(stage))
        {
            var begun = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(8))
            {
                var jobs = await one.SubmitAsync(300, queue: "shuffled");
                using var worker = one.RegisterWorker();
                await Task.WhenAll(new[] { one, two }.Select(async steps =>
                {
                    var shuffled = jobs.ToArray();
                    Random.Shared.Shuffle(shuffled);
                    await Task.WhenAll(shuffled.Chunk(60).Select(chunk => steps.ClaimAsync(worker.Worker, chunk)));
                    await Task.WhenAll(shuffled.Select(job => steps.Checkpoints.SaveAsync(job, 1, 1, "1", null, default)));
                    await Task.WhenAll(shuffled.Select(job => steps.PutBacks.PutBackAsync(new Unfinished(job, 1, RunEnding.Interrupted, true, TimeSpan.Zero))));
                    await Task.WhenAll(shuffled.Chunk(50).Select(chunk => steps.PutBacks.GiveBackAsync(chunk.Select(id => new ReadyJob(id, 1)), 1, default)));
                }));
            }
        }

        Assert.Equal(deadlocksBefore, await stage.DeadlocksAsync());
    }

    /// <summary>Depth, oldest age and all an autoscaler reads come from counts and an index, whatever waits.</summary>
    private async Task DepthIsCheapAsync(int queued)
    {
        var before = await ScansAsync();
        await using (var steps = new Steps(stage))
        {
            Assert.Equal(queued, (await steps.Fleet.QueueAsync("other", default)).Ready); // the connection is open, the plan is made
            var took = new List<double>();
            for (var read = 0; read < 20; read++)
            {
                var began = TimeProvider.System.GetTimestamp();
                await steps.Fleet.QueuesAsync(default);
                await steps.Fleet.QueueAsync("other", default);
                took.Add(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
            }

            Assert.InRange(took.Order().ElementAt(10), 0, 40);
        }

        Assert.Equal(before.Sequential, (await ScansAsync()).Sequential);
    }

    /// <summary>A unique key is found by its own index, also where all that is there is the same tenant's.</summary>
    private async Task KeysAreCheapAsync()
    {
        var before = await ScansAsync();
        var byTenant = await ByTenantAsync();
        await using (var steps = new Steps(stage))
        {
            var failed = (await steps.Uniques.SubmitAsync([Steps.NewJob() with { UniqueKey = "retried" }], key: null)).Ids;
            await steps.Cancellations.CancelAsync(failed[0], 1, default);
            for (var round = 0; round < 10; round++)
            {
                await steps.Uniques.SubmitAsync([Steps.NewJob() with { UniqueKey = "one" }, Steps.NewJob() with { UniqueKey = "retried" }], key: null);
                Assert.Empty(await new Retries(steps.Database).RetryAsync(failed, 1, fromStart: false, default));
            }
        }

        Assert.Equal((before.Sequential, byTenant), ((await ScansAsync()).Sequential, await ByTenantAsync()));

        Task<long> ByTenantAsync() => stage.ScalarAsync<long>("select coalesce(idx_scan, 0) from pg_stat_user_indexes where indexrelname = 'jobs_tenant'");
    }

    /// <summary>A page of a list costs as much as the jobs that are looked at for it, whatever fits.</summary>
    private async Task ListsAreCheapAsync()
    {
        var filter = new JobFilter { Limit = 51 };
        JobFilter[] filters =
        [
            filter, .. Enum.GetValues<JobState>().Select(state => filter with { State = state }), filter with { Type = "nobody's" }, filter with { Queue = "nobodys" }, filter with { Tag = "none" },
            filter with { CreatedAfter = DateTime.UtcNow.AddDays(1) }, filter with { CreatedBefore = DateTime.UtcNow.AddDays(-1) }, filter with { State = JobState.Queued, Type = "nobody's", Queue = "other", Tag = "none" },
        ];
        var some = Guid.Parse("0c000000-0000-0000-0000-000000000000"); // some 47,000 of a million, and those of other tests
        var jobs = await stage.ScalarAsync<long>("select count(*) from jobs where tenant = 1 and id < $1", some);
        await stage.ExecuteAsync("analyze jobs"); // until PostgreSQL has looked at a new table for the first time, it may sort all of it
        var before = await ScansAsync();
        await using (var steps = new Steps(stage))
        {
            var took = new List<(double Milliseconds, JobFilter Filter)>();
            foreach (var one in filters.SelectMany(one => new[] { one, one with { After = Guid.Parse("80000000-0000-0000-0000-000000000000") } }))
            {
                var began = TimeProvider.System.GetTimestamp();
                var page = await steps.Jobs.ListAsync(one, 1, default);
                took.Add((TimeProvider.System.GetElapsedTime(began).TotalMilliseconds, one));
                Assert.True(page.Jobs.Count == one.Limit || page.LookedTo is not null || one.State is JobState.Running or JobState.Failed, $"{one}");
            }

            Assert.True(took.MaxBy(one => one.Milliseconds).Milliseconds < 1000, $"{took.MaxBy(one => one.Milliseconds)}");

            var looked = 0;
            for (Guid? after = some; after is not null; looked++)
            {
                after = (await steps.Jobs.ListAsync(filter with { Tag = "none", After = after }, 1, default)).LookedTo;
            }

            Assert.Equal((jobs / 20_000) + 1, looked);
        }

        Assert.Equal(before.Sequential, (await ScansAsync()).Sequential);
    }

    /// <summary>What an API does by itself every second, each duty with something to do.</summary>
    private async Task DutiesAreCheapAsync()
    {
        // Each of these is queued anew or cancelled, by another duty.
        const string Undone = """
            select queue from jobs where id = any($1) and state <> 7 and (state <> 1 or dispatch = 0)
            union all select 'bulk ' || action from bulk_requests where done = 0
            union all select 'rewind' where not exists (select from lanes where queue = 'other' and turn > 0 and fed < 'infinity')
            union all select 'schedule' from schedules where last_job is null
            """;
        IReadOnlyList<string> left = [];
        Guid[] moved;
        Guid watched;
        await using (var steps = new Steps(stage))
        {
            using var gone = steps.RegisterWorker("gone", TimeSpan.FromSeconds(1));
            using var witness = steps.RegisterWorker("witness");
            NewJob[] jobs =
            [
                Steps.NewJob("lost"), Steps.NewJob("watched"), Steps.NewJob("delayed") with { Delay = TimeSpan.FromSeconds(1) }, Steps.NewJob("retried"),
                Steps.NewJob("orphan"), Steps.NewJob("failed") with { Tags = ["failed"] }, Steps.NewJob("unwanted") with { Tags = ["unwanted"] },
            ];
            await steps.Submissions.SubmitAsync(jobs);
            var (lost, retried, orphan, failed) = (jobs[0].Id, jobs[3].Id, jobs[4].Id, jobs[5].Id);
            (moved, watched) = ([.. jobs.Select(job => job.Id).Except([jobs[1].Id])], jobs[1].Id);
            Assert.Equal(3, (await steps.ClaimAsync(gone.Worker, [retried, orphan, failed])).Count);
            await steps.Failures.FailAsync(retried, 1, Verdict.Retry, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero);
            await steps.Failures.FailAsync(failed, 1, Verdict.GiveUp, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.Zero);
            await stage.ExecuteAsync($"update jobs set at = at - '20 s'::interval where id = '{lost}'");
            var now = await stage.ScalarAsync<DateTime>("select clock_timestamp()");
            Assert.True(witness.Beat(new() { Busy = 0, Draining = false, Means = "{}", Seen = [new("lost", 0, 0, now), new("other", 0, 0, now)] })); // of the other queue a million are lost
            var bulk = new BulkRequests(steps.Database);
            await bulk.BeginAsync(new(BulkAction.Retry, new JobFilter { Limit = 1, Tag = "failed" }, false, Rate: 1), 1, default);
            await bulk.BeginAsync(new(BulkAction.Cancel, new JobFilter { Limit = 1, Tag = "unwanted" }, false, Rate: 1), 1, default);
            await stage.ExecuteAsync(
                """
                insert into schedules (tenant, name, cron, zone, paused, next_at, type, queue, high, max_attempts, input)
                values (1, 'each minute', '* * * * *', 'UTC', false, clock_timestamp(), 'test', 'ticks', false, 1, '{}')
                """);
        }

        var before = await ScansAsync();
        var api = await stage.StartApiAsync();
        await using (var watch = stage.Client(api).WatchAsync(watched).GetAsyncEnumerator())
        {
            Assert.True(await watch.MoveNextAsync());
            await Task.Delay(4000); // so long it is watched
            await Waiting.UntilAsync(async () => (left = await stage.QueryAsync<string>(Undone, moved)).Count == 0, () => $"nobody has done: {string.Join(", ", left)}");
        }

        await stage.StopAllAsync();
        var after = await ScansAsync();
        Assert.Equal(before.Sequential, after.Sequential);
        Assert.True(after.OtherIndexes > before.OtherIndexes, $"{after} after {before}"); // the duties have looked
    }

    private async Task<Scans> ScansAsync()
    {
        await stage.SessionsEndAsync();
        var scans = (await stage.QueryAsync<long[]>(
            """
            select array[
              (select coalesce(seq_scan, 0) from pg_stat_user_tables where relname = 'jobs'),
              (select coalesce(idx_scan, 0) from pg_stat_user_indexes where indexrelname = 'jobs_pkey'),
              (select sum(coalesce(idx_scan, 0))::bigint from pg_stat_user_indexes where relname = 'jobs' and indexrelname <> 'jobs_pkey')]
            """))[0];
        return new Scans(scans[0], scans[1], scans[2]);
    }

    private sealed record Scans(long Sequential, long PrimaryKey, long OtherIndexes);
}
