namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class UniqueKeyTests(RunningApi api)
{
    private readonly string key = $"\"uniqueKey\": \"{Servers.NewName()}\"";

    [Fact]
    public async Task While_a_job_with_the_key_is_unfinished_it_is_the_answer()
    {
        var first = await api.SubmitAnyAsync($"{key}, \"input\": 1");
        var again = await api.SubmitAnyAsync($"{key}, \"input\": 2");
        Assert.Equal((202, first.JobId, first.Headers.Location), (again.Status, again.JobId, again.Headers.Location));
        Assert.Equal(1, again.Json.GetProperty("input").GetInt32());
        Assert.False(again.Headers.Contains("Idempotent-Replayed")); // it is no repeat of the same submission
        Assert.Equal(first.Text("uniqueKey"), (await api.GetAsync($"v1/jobs/{first.JobId}")).Text("uniqueKey"));
        await api.PostAsync($"v1/jobs/{first.JobId}/cancel", []);
        Assert.NotEqual(first.JobId, (await api.SubmitAnyAsync(key)).JobId);
    }

    [Fact]
    public async Task In_a_batch_elements_with_one_key_have_one_job()
    {
        var first = await api.AcceptedAsync(key);
        var job = $$"""{"type": "{{RunningApi.Any}}", {{key}}}""";
        var other = job.Replace("\"uniqueKey\": \"", "\"uniqueKey\": \"b", StringComparison.Ordinal);
        var ids = (await api.SubmitBatchAsync($"[{job}, {other}, {other}]")).Json.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid()).ToArray();
        Assert.Equal([first, ids[1], ids[1]], ids);
        Assert.NotEqual(first, ids[1]);
    }

    [Fact]
    public async Task A_failed_job_whose_key_another_one_has_is_not_run_again()
    {
        var failed = await api.AcceptedAsync(key);
        await api.Stage.ExecuteAsync($"update jobs set state = 6 where id = '{failed}'");
        var holder = await api.AcceptedAsync(key);
        var refused = (await api.PostAsync($"v1/jobs/{failed}/retry", [])).MustRefuse(409);
        Assert.EndsWith("#unique-key-taken", refused.Text("type"), StringComparison.Ordinal);
        Assert.Contains(holder.ToString(), refused.Text("detail"), StringComparison.Ordinal);
        await api.PostAsync($"v1/jobs/{holder}/cancel", []);
        Assert.Equal((200, "queued"), ((await api.PostAsync($"v1/jobs/{failed}/retry", [])).Status, (await api.GetAsync($"v1/jobs/{failed}")).Text("state")));
    }

    [Fact]
    public async Task A_key_has_255_characters_at_most()
    {
        await api.AcceptedAsync($"\"uniqueKey\": \"{Servers.NewName().PadRight(255, 'ü')}\"");
        await api.RefusesAsync(() => api.SubmitAnyAsync($"\"uniqueKey\": \"{Servers.NewName().PadRight(256, 'x')}\""), 422, "/uniqueKey");
    }

    [Fact]
    public async Task A_schedule_makes_no_job_while_an_unfinished_one_has_its_key()
    {
        var name = Servers.NewName();
        var put = await api.PutScheduleAsync(name, $$"""{"job": {"type": "{{RunningApi.Any}}", {{key}} }, "cron": "0 0 1 1 *"}""");
        Assert.Equal(put.Json.GetProperty("job").GetProperty("uniqueKey").GetString(), (await api.GetAsync($"v1/schedules/{name}")).Json.GetProperty("job").GetProperty("uniqueKey").GetString());
        var first = await TickedAsync();
        Assert.Equal(first, await TickedAsync());
        await api.PostAsync($"v1/jobs/{first}/cancel", []);
        Assert.NotEqual(first, await TickedAsync());
        await api.DeleteAsync($"v1/schedules/{name}");

        async Task<Guid> TickedAsync()
        {
            await api.Stage.ExecuteAsync($"update schedules set next_at = clock_timestamp() - interval '1 ms' where name = '{name}'");
            await Waiting.UntilAsync(async () => await api.Stage.ScalarAsync<bool>("select next_at > clock_timestamp() from schedules where name = $1", name));
            return (await api.GetAsync($"v1/schedules/{name}")).Json.GetProperty("lastJob").GetGuid();
        }
    }
}
