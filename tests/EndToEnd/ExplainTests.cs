namespace QueueScale.Tests;

public sealed class ExplainTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync() => await stage.ResetAsync();

    [Fact]
    public async Task It_says_what_a_job_waits_for_in_each_state()
    {
        var client = stage.Client(await stage.StartApiAsync());
        var worker = await stage.StartWorkerAsync("w1", settings: ("Worker__Slots", "1"));
        var running = (await client.SubmitAsync(Programs.Sleep(60, 600))).Id;
        await client.WaitForAsync(running, j => j.State == JobState.Running);
        var (first, second) = ((await client.SubmitAsync(Programs.Sleep(60, 600))).Id, (await client.SubmitAsync(Programs.Sleep(60, 600))).Id);
        var high = (await client.SubmitAsync(Programs.Sleep(60, 600) with { Priority = JobPriority.High })).Id;
        var delayed = (await client.SubmitAsync(Programs.Job("probe.noop") with { Delay = "PT1H" })).Id;
        var elsewhere = (await client.SubmitAsync(Programs.Job("probe.noop") with { Queue = "nobody-serves-this" })).Id;

        Assert.Equal((WaitReason.Running, null), await OfAsync(running));
        Assert.Equal((WaitReason.Next, 0), await OfAsync(high));
        Assert.Equal((WaitReason.Behind, 1), await OfAsync(first));
        Assert.Equal((WaitReason.Behind, 2), await OfAsync(second));
        Assert.Equal((WaitReason.NoWorker, 0), await OfAsync(elsewhere));
        Assert.Equal((WaitReason.Scheduled, null), await OfAsync(delayed));
        var told = await client.ExplainAsync(second);
        Assert.Equal((1, 1, JobState.Queued), (told.Workers, told.Slots, told.State));
        Assert.InRange(told.StartsAt!.Value, DateTime.UtcNow.AddSeconds(-5), DateTime.UtcNow.AddHours(1));
        Assert.InRange((await client.ExplainAsync(delayed)).StartsAt!.Value, DateTime.UtcNow.AddMinutes(55), DateTime.UtcNow.AddMinutes(61));

        await stage.ExecuteAsync($"insert into job_types (name, queue, max_attempts, input_schema) values ('test.nobodys', 'default', 3, '{"{}"}') on conflict do nothing");
        await Waiting.UntilAsync(async () => (await client.GetJobTypesAsync()).Items.Any(type => type.Name == "test.nobodys"));
        var strange = (await client.SubmitAsync(Programs.Job("test.nobodys"))).Id;
        Assert.Equal((WaitReason.NoWorker, 3), await OfAsync(strange));
        Assert.Contains("test.nobodys", (await client.ExplainAsync(strange)).Text, StringComparison.Ordinal);

        await client.CancelAsync(delayed);
        Assert.Equal((WaitReason.Final, null), await OfAsync(delayed));
        worker.Process.Signal(Signal.Kill);
        await Waiting.UntilAsync(async () => (await client.ExplainAsync(first)).Reason == WaitReason.NoWorker);

        async Task<(WaitReason, long?)> OfAsync(Guid id)
        {
            var explained = await client.ExplainAsync(id);
            return (explained.Reason, explained.Before);
        }
    }

    [Fact]
    public async Task A_queue_takes_no_more_than_Api_MaxBacklog_and_others_go_on()
    {
        var client = stage.Client(await stage.StartApiAsync(settings: ("Api__MaxBacklog", "100")));
        await stage.StartWorkerAsync("w1", settings: ("Worker__Slots", "1"));
        var kept = await client.SubmitAsync(Programs.Sleep(60, 600), "known");
        var only = Programs.Sleep(60, 600) with { UniqueKey = "one of its kind" };
        var holder = await client.SubmitAsync(only);
        await client.SubmitBatchAsync([.. Enumerable.Repeat(Programs.Sleep(60, 600), 98)]);
        await Waiting.UntilAsync(async () => await RefusedAsync(Programs.Sleep(60, 600)) == 429);
        var accepted = await stage.ScalarAsync<long>("select count(*) from jobs");
        Assert.InRange(accepted, 100, 1000); // it is looked at once a second
        Assert.Equal((422, accepted), (await RefusedAsync([.. Enumerable.Repeat(Programs.Job("probe.noop"), 101)]), await stage.ScalarAsync<long>("select count(*) from jobs")));
        Assert.Equal(kept.Id, (await client.SubmitAsync(Programs.Sleep(60, 600), "known")).Id); // accepted before, and said so again
        Assert.Equal(holder.Id, (await client.SubmitAsync(only)).Id); // it stores nothing
        Assert.Equal(429, await RefusedAsync(only, only with { UniqueKey = "another" }));
        await client.SubmitAsync(Programs.Sleep(1, 1) with { Queue = "bulk" });
        await client.CancelJobsAsync(new QueueScale.Client.JobFilter { Queue = "default" });
        await Waiting.UntilAsync(async () => await RefusedAsync(Programs.Job("probe.noop")) is null);

        async Task<int?> RefusedAsync(params SubmitJob[] jobs)
        {
            try
            {
                await client.SubmitBatchAsync(jobs);
                return null;
            }
            catch (QueueScaleException refused)
            {
                return refused.Status;
            }
        }
    }
}
