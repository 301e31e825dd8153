namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class JobViewTests(RunningApi api)
{
    private static readonly string[] Always = ["id", "type", "queue", "priority", "state", "attempt", "maxAttempts", "interruptions", "crashes", "createdAt", "links"];

    [Fact]
    public async Task Members_without_a_value_are_left_out()
    {
        var answer = await api.SubmitAsync("""{"type": "test.any"}""");
        AssertMembers([.. Always, "input"], answer.Json);
        AssertMembers([.. Always, "input"], (await api.GetAsync($"v1/jobs/{answer.JobId}")).Json);
        var listed = (await api.GetAsync("v1/jobs?limit=1")).Json.GetProperty("items")[0];
        AssertMembers(Always, listed); // input and result only where one job is asked for
    }

    [Fact]
    public async Task A_job_with_everything_shows_everything()
    {
        var id = await api.AcceptedAsync("\"input\": {\"a\": [1, \"ü\"]}, \"tags\": [\"x\", \"y\"], \"priority\": \"high\", \"queue\": \"shown\"");
        await SetAsync(id, """
            state = 6, attempts = 2, interruptions = 3, crashes = 1, progress = '{"done": 5, "total": 10, "percent": 50, "message": "half"}', error = '{"code": "bad", "message": "It is."}',
            result = '{"r": null}', started_at = '2030-01-02 03:04:05.678901+00', finished_at = '2030-01-02 03:04:06+00', checkpointed_at = '2030-01-02 03:04:05.7+00', run_at = '2030-01-02 03:04:05+02'
            """);
        var job = (await api.GetAsync($"v1/jobs/{id}")).Json;
        AssertMembers([.. Always, "progress", "input", "result", "error", "tags", "runAt", "startedAt", "finishedAt", "checkpointedAt"], job);
        Assert.Equal(
            ("failed", "high", 2, 3, 1), (Text(job, "state"), Text(job, "priority"), job.GetProperty("attempt").GetInt32(), job.GetProperty("interruptions").GetInt32(), job.GetProperty("crashes").GetInt32()));
        Assert.Equal("""{"done":5,"total":10,"percent":50,"message":"half"}""", job.GetProperty("progress").GetRawText());
        Assert.Equal("""{"code":"bad","message":"It is."}""", job.GetProperty("error").GetRawText());
        Assert.Equal("""["x","y"]""", job.GetProperty("tags").GetRawText());
        Assert.Equal("2030-01-02T03:04:05.678901Z", Text(job, "startedAt"));
        Assert.Equal("2030-01-02T01:04:05Z", Text(job, "runAt"));
        Assert.All(["createdAt", "runAt", "startedAt", "finishedAt", "checkpointedAt"], name => Assert.EndsWith("Z", Text(job, name), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Each_state_is_a_word_and_can_be_listed_by_it()
    {
        var queue = Servers.NewName();
        foreach (var state in Enum.GetValues<JobState>())
        {
            var id = await api.AcceptedAsync($"\"queue\": \"{queue}\", \"delay\": \"PT1H\"");
            await SetAsync(id, $"state = {(short)state}");
            var word = JsonNamingPolicy.CamelCase.ConvertName(state.ToString());
            Assert.Equal(word, Text((await api.GetAsync($"v1/jobs/{id}")).Json, "state"));
            Assert.Equal(id, Assert.Single((await api.GetAsync($"v1/jobs?queue={queue}&state={word}")).Json.GetProperty("items").EnumerateArray()).GetProperty("id").GetGuid());
        }
    }

    [Fact]
    public async Task Every_ending_of_a_run_is_a_word()
    {
        var id = await api.AcceptedAsync();
        await api.Stage.ExecuteAsync($$"""
            insert into workers (id, name, host, pid, version, queues, slots, lease) values ('{{id}}', 'w-of-runs', 'h', 1, '0', '{}', 1, '10 s');
            insert into runs (job, epoch, worker, started_at, ended_at, how, error, from_seq, handover_from) values
              ('{{id}}', 1, '{{id}}', '2030-01-01 00:00:00Z', '2030-01-01 00:00:01Z', 'failed', '{"code": "c", "message": "m"}', 0, null),
              ('{{id}}', 2, '{{id}}', '2030-01-01 00:00:02Z', '2030-01-01 00:00:03Z', 'interrupted', null, 1, '2030-01-01 00:00:03Z'),
              ('{{id}}', 3, '{{id}}', '2030-01-01 00:00:04.5Z', '2030-01-01 00:00:05Z', 'crashed', null, 2, '2030-01-01 00:00:05Z'),
              ('{{id}}', 4, '{{id}}', '2030-01-01 00:00:06Z', '2030-01-01 00:00:07Z', 'lost', null, 2, null),
              ('{{id}}', 5, '{{id}}', '2030-01-01 00:00:08Z', '2030-01-01 00:00:09Z', 'timedOut', null, 2, null),
              ('{{id}}', 6, '00000000-0000-0000-0000-000000000000', '2030-01-01 00:00:10Z', '2030-01-01 00:00:11Z', 'snoozed', null, 2, null);
            update jobs set state = 2, epoch = 7, worker = '{{id}}', started_at = '2030-01-01 00:00:12Z', from_seq = 9 where id = '{{id}}'
            """);
        var runs = (await api.GetAsync($"v1/jobs/{id}/runs")).Json.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], runs.Select(r => r.GetProperty("epoch").GetInt32()));
        Assert.Equal(["failed", "interrupted", "crashed", "lost", "timedOut", "snoozed"], runs[..6].Select(r => Text(r, "how")));
        AssertMembers(["epoch", "worker", "startedAt", "fromCheckpoint"], runs[6]);
        Assert.Equal(["w-of-runs", "unknown"], runs.Select(r => Text(r, "worker")).Distinct());
        Assert.Equal("m", Text(runs[0].GetProperty("error"), "message"));
        Assert.Equal([(2, 1.5), (3, 1.0)], runs.Index().Where(r => r.Item.TryGetProperty("handoverSeconds", out _)).Select(r => (r.Index, r.Item.GetProperty("handoverSeconds").GetDouble())));
        await SetAsync(id, "state = 5");
        Assert.Equal("succeeded", Text((await api.GetAsync($"v1/jobs/{id}/runs")).Json.GetProperty("items")[6], "how"));
    }

    [Fact]
    public async Task A_job_that_never_ran_has_no_runs() => Assert.Equal("""{"items":[]}""", (await api.GetAsync($"v1/jobs/{await api.AcceptedAsync()}/runs")).Body);

    [Fact]
    public async Task Another_tenants_job_is_not_there()
    {
        var id = await api.AcceptedAsync("\"tags\": [\"canary\"]");
        await SetAsync(id, "tenant = 2");
        (await api.GetAsync($"v1/jobs/{id}")).MustRefuse(404);
        (await api.GetAsync($"v1/jobs/{id}/runs")).MustRefuse(404);
        (await api.PostAsync($"v1/jobs/{id}/cancel", [])).MustRefuse(404);
        Assert.DoesNotContain(id.ToString(), (await api.GetAsync("v1/jobs?tag=canary")).Body, StringComparison.Ordinal);
        Assert.Equal(1, await api.Stage.ScalarAsync<short>("select state from jobs where id = $1", id));
    }

    [Fact]
    public async Task A_registered_type_is_shown_as_it_was_registered()
    {
        var types = (await api.GetAsync("v1/job-types")).Json.GetProperty("items").EnumerateArray().ToArray();
        var strict = Assert.Single(types, type => Text(type, "name") == RunningApi.Strict);
        Assert.Equal(("strict", 5, "PT1M"), (Text(strict, "queue"), strict.GetProperty("maxAttempts").GetInt32(), Text(strict, "timeout")));
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(RunningApi.StrictSchema), strict.GetProperty("inputSchema")));
        Assert.False(Assert.Single(types, type => Text(type, "name") == RunningApi.Any).TryGetProperty("timeout", out _));
    }

    private Task SetAsync(Guid id, string values) => api.Stage.ExecuteAsync($"update jobs set {values} where id = '{id}'");

    private static string Text(JsonElement of, string member) => of.GetProperty(member).GetString()!;

    private static void AssertMembers(IEnumerable<string> expected, JsonElement of) =>
        Assert.Equal(expected.Order(StringComparer.Ordinal), of.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
}
