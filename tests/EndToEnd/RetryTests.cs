namespace QueueScale.Tests;

public sealed class RetryTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancelled_job_goes_on_from_its_checkpoint_or_begins_anew(bool fromStart)
    {
        var client = await StartAsync();
        var job = (await client.SubmitAsync(Programs.Sleep(4, 40))).Id;
        await client.WaitForAsync(job, j => j.Progress?.Done >= 10);
        await client.CancelAsync(job);
        await client.WaitForAsync(job, j => j.State == JobState.Cancelled);

        await client.RetryAsync(job, fromStart);
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job)).State);
        var runs = (await client.GetRunsAsync(job)).Items;
        Assert.Equal([RunEnding.Cancelled, RunEnding.Succeeded], runs.Select(run => run.How!.Value));
        Assert.Equal(fromStart, runs[1].FromCheckpoint == 0);
        Assert.True(fromStart || runs[1].FromCheckpoint >= 10);
        Assert.Equal(409, (await Assert.ThrowsAsync<QueueScaleException>(() => client.RetryAsync(job))).Status);
    }

    [Fact]
    public async Task A_failed_job_has_all_its_attempts_anew_and_its_earlier_runs_stay()
    {
        var client = await StartAsync();
        var job = (await client.SubmitAsync(Programs.Job("probe.fail", new { times = 1 }) with { MaxAttempts = 1 })).Id;
        for (var failures = 1; failures <= 3; failures++)
        {
            var failed = await client.WaitForAsync(job, j => j.State == JobState.Failed);
            Assert.Equal((1, failures), (failed.Attempt, (await client.GetRunsAsync(job)).Items.Count(run => run.How == RunEnding.Failed)));
            Assert.NotNull(failed.Error);
            if (failures < 3)
            {
                await client.RetryAsync(job);
            }
        }

        var scale = await client.GetScaleAsync("default");
        Assert.Equal((0, 0), (scale.Ready, scale.Running));
    }

    [Fact]
    public async Task A_job_that_is_run_again_shows_nothing_of_its_end()
    {
        var client = stage.Client(await stage.StartApiAsync()); // without a worker it stays as it was queued
        var job = Guid.CreateVersion7();
        await stage.ExecuteAsync(
            $$"""
            insert into job_types (name, queue, max_attempts, input_schema) values ('test.any', 'default', 3, '{}') on conflict do nothing;
            insert into jobs (id, tenant, type, queue, state, max_attempts, attempts, epoch, worker, input, run_at, started_at, finished_at, error)
            values ('{{job}}', 1, 'test.any', 'default', 6, 3, 3, 3, gen_random_uuid(), '{}', now(), now(), now(), '{"code":"handler_failed","message":"no"}')
            """);
        Assert.Equal("handler_failed", (await client.GetJobAsync(job)).Error?.Code);
        var again = await client.RetryAsync(job);
        Assert.Equal((JobState.Queued, 0, null, null), (again.State, again.Attempt, again.FinishedAt, again.Error));
    }

    [Fact]
    public async Task Of_many_requests_at_once_one_makes_one_run()
    {
        var client = await StartAsync();
        var other = stage.Client(await stage.StartApiAsync("api2"));
        var job = (await client.SubmitAsync(Programs.Sleep(3, 30) with { Delay = "PT1H" })).Id;
        await client.CancelAsync(job);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            try
            {
                await (i % 2 == 0 ? client : other).RetryAsync(job);
                return 200;
            }
            catch (QueueScaleException refused)
            {
                return refused.Status;
            }
        }));
        Assert.Equal([1, 39], [answers.Count(status => status == 200), answers.Count(status => status == 409)]);
        await client.WaitForAsync(job, j => j.State == JobState.Succeeded);
        Assert.Equal([1], (await client.GetRunsAsync(job)).Items.Select(run => run.Epoch));
    }

    [Fact]
    public async Task Failed_jobs_that_fit_are_run_again_in_bulk_as_fast_as_is_asked_for()
    {
        var client = await StartAsync();
        await client.SubmitBatchAsync([.. Enumerable.Range(0, 30).Select(i => Programs.Job("probe.fail", new { times = 1 }) with { MaxAttempts = 1, Tags = [i < 20 ? "mine" : "other"] })]);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 6") == 30);
        var filter = new QueueScale.Client.JobFilter { Tag = "mine" };
        Assert.Equal(20, await client.CountRetryJobsAsync(filter));
        await stage.ExecuteAsync("create function long_ago() returns trigger language plpgsql as $$ begin new.page_at = new.page_at - '1 h'::interval; return new; end $$; create trigger long_ago before insert on bulk_requests for each row execute function long_ago()");
        var begun = TimeProvider.System.GetTimestamp();
        var request = await client.RetryJobsAsync(filter with { Limit = 7 }, rate: 5); // it has waited for an hour for an API that carries it out, which is no reason to make haste
        Assert.Equal((20, 0, null), (request.Matched, request.Done, request.FinishedAt));
        await Waiting.UntilAsync(async () => (request = await client.GetBulkRequestAsync(request.Id)).FinishedAt is not null);
        Assert.Equal(20, request.Done);
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 3, 7); // 20 at 5 a second; the last page is found to be the last a page later
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 6 and epoch = 2 and 'mine' = any(tags)") == 20);
        Assert.Equal(10, await stage.ScalarAsync<long>("select count(*) from jobs where state = 6 and epoch = 1 and 'other' = any(tags)"));
    }

    [Fact]
    public async Task Jobs_are_cancelled_in_bulk_each_once_though_several_processes_do_it()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartApiAsync("api2");
        await stage.StartApiAsync("api3");
        await stage.ExecuteAsync("insert into job_types (name, queue, max_attempts, input_schema) values ('test.any', 'default', 3, '{}') on conflict do nothing");
        await stage.ExecuteAsync(
            """
            insert into jobs (id, tenant, type, queue, state, max_attempts, input, run_at)
            select gen_random_uuid(), 1, 'test.any', case when n <= 4000 then 'full' else 'default' end, (n % 2)::smallint, 3, '{}', clock_timestamp() + '1 h'::interval from generate_series(1, 5000) n
            """);
        var request = await client.CancelJobsAsync(new QueueScale.Client.JobFilter { Queue = "full" });
        Assert.Equal(4_000, request.Matched);
        await Waiting.UntilAsync(async () => (request = await client.GetBulkRequestAsync(request.Id)).FinishedAt is not null, () => $"{request}", TimeSpan.FromSeconds(60));
        Assert.Equal(4_000, request.Done);
        Assert.Equal(4_000, await stage.ScalarAsync<long>("select count(*) from jobs where state = 7 and queue = 'full'"));
        Assert.Equal(1_000, await stage.ScalarAsync<long>("select count(*) from jobs where state in (0, 1) and queue = 'default'"));
        Assert.Equal((0, 500), ((await client.GetScaleAsync("full")).Ready, (await client.GetScaleAsync("default")).Ready));
    }

    [Fact]
    public async Task A_short_request_in_bulk_does_not_wait_for_the_end_of_a_long_one()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.ExecuteAsync("insert into job_types (name, queue, max_attempts, input_schema) values ('test.any', 'default', 3, '{}') on conflict do nothing");
        await stage.ExecuteAsync(
            """
            insert into jobs (id, tenant, type, queue, state, max_attempts, input, run_at)
            select gen_random_uuid(), 1, 'test.any', case when n <= 30000 then 'long' else 'short' end, 0, 3, '{}', clock_timestamp() + '1 h'::interval from generate_series(1, 30010) n
            """);
        var (lengthy, brief) = (await client.CancelJobsAsync(new QueueScale.Client.JobFilter { Queue = "long" }), await client.CancelJobsAsync(new QueueScale.Client.JobFilter { Queue = "short" }));
        await Waiting.UntilAsync(async () => (lengthy = await client.GetBulkRequestAsync(lengthy.Id)).FinishedAt is not null, patience: TimeSpan.FromMinutes(2));
        brief = await client.GetBulkRequestAsync(brief.Id);
        Assert.Equal((30_000, 10), (lengthy.Done, brief.Done));
        Assert.True(brief.FinishedAt < lengthy.FinishedAt, $"{brief.FinishedAt:O} {lengthy.FinishedAt:O}");
    }

    private async Task<QueueScaleClient> StartAsync()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("w1");
        return client;
    }
}
