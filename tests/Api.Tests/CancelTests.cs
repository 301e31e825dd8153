namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class CancelTests(RunningApi api)
{
    [Theory]
    [InlineData(JobState.Scheduled)]
    [InlineData(JobState.Queued)]
    [InlineData(JobState.Retrying)]
    public async Task What_waits_is_cancelled_at_once_and_leaves_the_count(JobState state)
    {
        var queue = Servers.NewName();
        var id = await InAsync(state, queue);
        Assert.Equal(1, await WaitingAsync(queue));
        var answer = await CancelAsync(id);
        Assert.Equal((200, "cancelled"), (answer.Status, answer.Json.GetProperty("state").GetString()));
        Assert.EndsWith("Z", answer.Json.GetProperty("finishedAt").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, await WaitingAsync(queue));
        (await CancelAsync(id)).MustRefuse(409);
    }

    [Fact]
    public async Task What_runs_is_marked_and_goes_on_until_its_worker_ends_it()
    {
        var id = await InAsync(JobState.Running, Servers.NewName());
        for (var again = 0; again < 2; again++)
        {
            var answer = await CancelAsync(id);
            Assert.Equal((200, "running"), (answer.Status, answer.Json.GetProperty("state").GetString()));
        }

        Assert.True(await api.Stage.ScalarAsync<bool>("select cancel_requested from jobs where id = $1", id));
    }

    [Theory]
    [InlineData(JobState.Succeeded, "succeeded")]
    [InlineData(JobState.Failed, "failed")]
    [InlineData(JobState.Cancelled, "cancelled")]
    public async Task What_is_final_stays_so_and_the_refusal_says_where_it_stands(JobState state, string word)
    {
        var id = await InAsync(state, Servers.NewName());
        var answer = (await CancelAsync(id)).MustRefuse(409);
        Assert.Contains(word, answer.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal((short)state, await api.Stage.ScalarAsync<short>("select state from jobs where id = $1", id));
    }

    private Task<Answer> CancelAsync(Guid id) => api.PostAsync($"v1/jobs/{id}/cancel", []);

    private async Task<Guid> InAsync(JobState state, string queue)
    {
        var id = await api.AcceptedAsync($"\"queue\": \"{queue}\", \"delay\": \"PT1H\"");
        var worker = Guid.CreateVersion7();
        await api.Stage.ExecuteAsync(
            $"""
            insert into workers (id, name, host, pid, version, queues, slots, pulse_at, lease) values ('{worker}', 'nobody', 'here', 1, '1', '{"{}"}', 1, now() + '1 day', '1 hour');
            update jobs set state = {(short)state}, worker = '{worker}' where id = '{id}';
            select queuescale_recount()
            """); // a running job without a live worker would be handed over
        return id;
    }

    private Task<long> WaitingAsync(string queue) => api.Stage.ScalarAsync<long>($"select coalesce(sum(entered - \"left\" + waiting), 0)::bigint from queue_counts where queue = '{queue}'");
}
