namespace QueueScale.Tests;

/// <summary>Each member of a submission beside its input.</summary>
[Collection(OneApi.Name)]
public sealed class MemberTests(RunningApi api)
{
    [Theory]
    [InlineData("{}", "/type")]
    [InlineData("""{"type": null}""", "/type")]
    [InlineData("""{"type": ""}""", "/type")]
    [InlineData("""{"type": 1}""", "/type")]
    [InlineData("""{"type": ["test.any"]}""", "/type")]
    [InlineData("""{"type": "no.such"}""", "/type")]
    [InlineData("""{"type": "TEST.ANY"}""", "/type")]
    [InlineData("""{"type": "test.any "}""", "/type")]
    [InlineData("""{"Type": "test.any"}""", "/Type", "/type")]
    public async Task A_type_is_required_and_registered(string body, params string[] pointers) => await api.RefusesAsync(() => api.SubmitAsync(body), 422, pointers);

    [Fact]
    public async Task An_unknown_type_is_told_with_those_that_are_known()
    {
        var answer = await api.SubmitAsync("""{"type": "no.such"}""");
        Assert.Contains(RunningApi.Strict, answer.Said("/type"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_type_that_a_worker_has_just_registered_is_known_at_once()
    {
        await using var database = api.Stage.NewDatabase();
        foreach (var turn in Enumerable.Range(1, 10))
        {
            var body = $$"""{"type": "test.new-{{turn}}"}""";
            await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => api.RefusesAsync(() => api.SubmitAsync(body), 422, "/type"))); // so that the types have been read a moment before
            await new JobTypes(database).RegisterAsync([new($"test.new-{turn}", "default", 3, null, "{}")], CancellationToken.None);
            Assert.Equal(202, (await api.SubmitAsync(body)).Status);
        }
    }

    [Fact]
    public async Task The_newest_registration_of_a_type_counts_within_seconds()
    {
        await using var database = api.Stage.NewDatabase();
        var types = new JobTypes(database);
        await types.RegisterAsync([new("test.changing", "default", 3, null, "{}")], CancellationToken.None);
        await Waiting.UntilAsync(async () => (await api.SubmitAsync("""{"type": "test.changing", "input": 1}""")).Status == 202);
        await types.RegisterAsync([new("test.changing", "other", 3, null, """{"type": "string"}""")], CancellationToken.None);
        await Waiting.UntilAsync(async () => (await api.SubmitAsync("""{"type": "test.changing", "input": 1}""")).Status == 422, patience: TimeSpan.FromSeconds(3));
        Assert.Equal("other", (await api.SubmitAsync("""{"type": "test.changing", "input": "x"}""")).Json.GetProperty("queue").GetString());
    }

    [Theory]
    [InlineData("tyype")]
    [InlineData("Queue")]
    [InlineData("max_attempts")]
    [InlineData("id")]
    [InlineData("state")]
    [InlineData("tenant")]
    [InlineData("epoch")]
    [InlineData("worker")]
    [InlineData("dispatch")]
    [InlineData("createdAt")]
    [InlineData("startedAt")]
    [InlineData("finishedAt")]
    [InlineData("attempt")]
    [InlineData("interruptions")]
    [InlineData("crashes")]
    [InlineData("result")]
    [InlineData("error")]
    [InlineData("progress")]
    [InlineData("checkpoint")]
    [InlineData("links")]
    [InlineData("limit")]
    [InlineData("callbackUrl")]
    [InlineData("")]
    [InlineData("a~b/c", "/a~0b~1c")]
    public async Task A_member_that_is_not_the_callers_to_set_is_refused(string member, string? at = null)
    {
        await api.RefusesAsync(() => api.SubmitAnyAsync($"{JsonSerializer.Serialize(member)}: 1"), 422, at ?? $"/{member}");
        await api.RefusesAsync(() => api.SubmitAnyAsync($"{JsonSerializer.Serialize(member)}: null"), 422, at ?? $"/{member}");
    }

    [Theory]
    [InlineData("queue", "", "1", "true", "[]", "{}", "\"\"", "\"Bad\"", "\"bad name\"", "\"-a\"", "\"_a\"", "\"a.b\"", "\"a/b\"", "\"ä\"", "\"a\\n\"", "\"a\\u0000\"", "\"\\ud800\"",
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"")]
    [InlineData("priority", "", "1", "true", "[]", "\"\"", "\"low\"", "\"High\"", "\"0\"", "\"high \"")]
    [InlineData("maxAttempts", "", "0", "-1", "101", "1.5", "1.0", "1e1", "99999999999999999999", "\"5\"", "true", "[]")]
    [InlineData("timeout", "", "1", "\"\"", "\"5s\"", "\"00:00:05\"", "\"PT\"", "\"P\"", "\"PT0S\"", "\"-PT5S\"", "\"P1M\"", "\"P1Y\"", "\"P1M2DT3M\"", "\"P31D\"", "\"P1W\"", "\"PT5\"",
        "\"P99999999999999999999D\"", "\"PT1E5S\"", "\"pt5s\"", "\"PT5S\\u0000\"", "\" PT5S\"", "\"PT5S\\n\"", "\"PT.5S\"", "\"PT5.S\"", "\"P1DT\"")]
    [InlineData("delay", "", "1", "\"\"", "\"5s\"", "\"-PT5S\"", "\"-PT0S\"", "\"PT0S \"", "\"P1M\"", "\"P1Y\"", "\"P3651D\"", "\"PT99999999999H\"", "\"P10675200D\"", "{}")]
    [InlineData("runAt", "", "1", "\"0001-01-01T00:00:00Z\"", "\"1969-12-31T23:59:59Z\"", "1893456000", "\"\"", "\"tomorrow\"", "\"now\"", "\"2030-01-31\"", "\"2030-01-31T12:00:00\"", "\"2030-01-31 12:00:00Z\"", "\"2030-01-31T12:00Z\"",
        "\"2030-01-31T12:00:00 Z\"", "\"2030-13-01T00:00:00Z\"", "\"2030-02-30T00:00:00Z\"", "\"2030-01-31T24:00:01Z\"", "\"2030-01-31T12:00:00+1:00\"", "\"2030-01-31T12:00:00+15:00\"",
        "\"12/31/2030T12:00:00Z\"", "\"2016-12-31T23:59:60Z\"", "\"2099-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59Z\"", "\"99999-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00+14:00\"",
        "\"Thu, 31 Jan 2030 12:00:00 GMT\"", "\"2030-01-31T12:00:00Z\\u0000\"", "\"٢٠٣٠-01-31T12:00:00Z\"")]
    [InlineData("uniqueKey", "", "1", "true", "[]", "\"\"", "\"a\\u0000\"", "\"a\\nb\"", "\"\\u007f\"", "\"\\ud800\"")]
    [InlineData("tags", "", "1", "\"a\"", "{}", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\"]")]
    [InlineData("tags", "/0", "[\"\"]", "[1]", "[null]", "[[]]", "[\"a\\u0000\"]", "[\"a\\nb\"]", "[\"\\u001f\"]", "[\"\\ud800\"]",
        "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]")]
    public async Task A_value_that_a_member_does_not_take_is_refused(string member, string below, params string[] values)
    {
        foreach (var value in values)
        {
            await api.RefusesAsync(() => api.SubmitAnyAsync($"\"{member}\": {value}"), 422, $"/{member}{below}");
        }
    }

    [Theory]
    [InlineData("queue", "\"a\"", "\"0\"", "\"a-b_c-9\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "null")]
    [InlineData("priority", "\"normal\"", "\"high\"", "null")]
    [InlineData("maxAttempts", "1", "100", "null")]
    [InlineData("timeout", "\"PT0.001S\"", "\"PT5M\"", "\"PT1H30M\"", "\"P30D\"", "\"P1DT1M\"", "null")]
    [InlineData("delay", "\"PT0S\"", "\"PT90S\"", "\"P3650D\"", "null")]
    [InlineData("runAt", "\"2001-01-31T12:00:00Z\"", "\"1970-01-01T00:00:00Z\"", "\"2030-01-31T12:00:00Z\"", "\"2030-01-31T12:00:00.123456789Z\"", "\"2030-01-31t12:00:00z\"",
        "\"2030-01-31T12:00:00+14:00\"", "\"2030-01-31T12:00:00-00:00\"", "null")]
    [InlineData("uniqueKey", "\"one\"", "\"two words, ünïcode and 😀\"", "null")]
    [InlineData("tags", "[]", "[\"a\"]", "[\"ü\", \"😀\", \"a b\", \"a,b\", \"\\\"\"]", "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]", "null")]
    [InlineData("input", "{}", "[]", "\"text\"", "0", "-0", "true", "null", "{\"\": {\"\": []}}")]
    public async Task A_value_that_a_member_takes_is_accepted(string member, params string[] values)
    {
        foreach (var value in values)
        {
            await api.AcceptedAsync($"\"{member}\": {value}");
        }
    }

    [Fact]
    public async Task What_is_left_out_comes_from_the_type()
    {
        var plain = (await api.SubmitStrictAsync("{\"name\": \"ok\"}")).Json;
        Assert.Equal(("strict", 5, "normal"), (plain.GetProperty("queue").GetString(), plain.GetProperty("maxAttempts").GetInt32(), plain.GetProperty("priority").GetString()));
        Assert.Equal(TimeSpan.FromMinutes(1), await api.Stage.ScalarAsync<TimeSpan>("select timeout from jobs where id = $1", plain.GetProperty("id").GetGuid()));
        var own = await api.SubmitAsync("""{"type": "test.strict", "input": {"name": "ok"}, "queue": "mine", "maxAttempts": 7, "priority": "high", "timeout": "PT2H"}""");
        Assert.Equal(("mine", 7, "high"), (own.Json.GetProperty("queue").GetString(), own.Json.GetProperty("maxAttempts").GetInt32(), own.Json.GetProperty("priority").GetString()));
        Assert.Equal(TimeSpan.FromHours(2), await api.Stage.ScalarAsync<TimeSpan>("select timeout from jobs where id = $1", own.JobId));
    }

    [Theory]
    [InlineData("\"runAt\": \"2001-01-01T00:00:00Z\"", "queued")]
    [InlineData("\"runAt\": \"1970-01-01T00:00:00Z\"", "queued")]
    [InlineData("\"delay\": \"PT0S\"", "queued")]
    [InlineData("\"delay\": \"PT1H\"", "scheduled")]
    [InlineData("\"runAt\": \"2033-01-01T00:00:00+02:00\"", "scheduled")]
    public async Task A_job_waits_for_its_time_only_if_that_is_still_to_come(string members, string state)
    {
        var answer = await api.SubmitAnyAsync(members);
        Assert.Equal(state, answer.Json.GetProperty("state").GetString());
        Assert.Equal(state, (await api.GetAsync($"v1/jobs/{answer.JobId}")).Json.GetProperty("state").GetString());
    }

    [Fact]
    public async Task An_offset_is_reckoned_in() =>
        Assert.Equal("2033-01-01T10:30:00Z", (await api.SubmitAnyAsync("\"runAt\": \"2033-01-01T12:00:00+01:30\"")).Json.GetProperty("runAt").GetString());

    [Fact]
    public async Task A_job_has_one_time_to_run_at() => await api.RefusesAsync(() => api.SubmitAnyAsync("\"runAt\": \"2033-01-01T00:00:00Z\", \"delay\": \"PT1S\""), 422, "/delay");

    [Fact]
    public async Task All_that_is_wrong_with_a_submission_is_told_at_once() =>
        await api.RefusesAsync(
            () => api.SubmitAsync("""
                {"type": "test.strict", "input": {"nme": 1, "count": 99}, "queue": "B", "priority": "urgent", "runAt": "soon", "delay": "later", "maxAttempts": 0, "timeout": "x",
                 "tags": ["ok", "", 1], "state": "running"}
                """),
            422, "/input/name", "/input/nme", "/input/count", "/queue", "/priority", "/runAt", "/delay", "/maxAttempts", "/timeout", "/tags/1", "/tags/2", "/state");

    [Theory]
    [InlineData("\"type\": \"a\\u0000\"", "/type")]
    [InlineData("\"type\": \"\\ud83d\"", "/type")]
    [InlineData("\"type\": \"\\udc00x\"", "/type")]
    public async Task A_type_that_cannot_be_text_is_refused(string members, string at) => await api.RefusesAsync(() => api.SubmitAsync($"{{{members}}}"), 422, at);

    [Theory]
    [InlineData("""{"a": "x\u0000y"}""", "/input/a")]
    [InlineData("""["ok", ["x\u0000"]]""", "/input/1/0")]
    [InlineData("""{"a/b": {"c~d": [0, {"": "\u0000"}]}}""", "/input/a~1b/c~0d/1/")]
    [InlineData("""{"a": {"x\u0000": 1}}""", "/input/a")]
    [InlineData("\"\\u0000\"", "/input")]
    [InlineData("""{"a": "\ud800"}""", "/input/a")]
    [InlineData("""{"a": ["\udc00\ud800"]}""", "/input/a/0")]
    [InlineData("""{"a": "x\ud83dx"}""", "/input/a")]
    [InlineData("""{"a": 1e400000}""", "/input/a")]
    [InlineData("""[1, -1e400000]""", "/input/1")]
    [InlineData("""{"a": [1e-400000]}""", "/input/a/0")]
    [InlineData("""{"a": 0e99999999999}""", "/input/a")]
    [InlineData("""{"a": 1E+99999999999999999999}""", "/input/a")]
    public async Task What_PostgreSQL_cannot_keep_is_named_where_it_stands(string input, string at) =>
        await api.RefusesAsync(() => api.SubmitAnyAsync($"\"input\": {input}"), 422, at);

    [Fact]
    public async Task A_number_of_a_hundred_thousand_digits_is_refused()
    {
        await api.RefusesAsync(() => api.SubmitAnyAsync($"\"input\": {{\"a\": {new string('9', 200_000)}}}"), 422, "/input/a");
        await api.RefusesAsync(() => api.SubmitAnyAsync($"\"input\": {{\"a\": 0.{new string('9', 100_000)}}}"), 422, "/input/a");
    }

    [Theory]
    [InlineData("""{"a": "\ud83d\ude00", "b": "\\u0000", "c": "\\ud800"}""")]
    [InlineData("""[-0, 0.10, 1e5, 1E-5, 1e300, 123456789012345678901234567890, 0.1234567890123456789012345678901234567890, 5e-324]""")]
    [InlineData("""{"3e5": "7e9", "ünï": "\u2028\ufeff\u0001"}""")]
    public async Task What_only_looks_dangerous_is_kept_as_it_came(string input)
    {
        var id = await api.AcceptedAsync($"\"input\": {input}");
        var kept = (await api.GetAsync($"v1/jobs/{id}")).Json.GetProperty("input");
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(input), kept), kept.GetRawText());
    }
}
