namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class ScheduleTests(RunningApi api)
{
    private const string Yearly = $$"""{"cron": "0 0 1 1 *", "timeZone": "Europe/Berlin", "job": {"type": "{{RunningApi.Any}}"} }""";

    [Fact]
    public async Task A_schedule_is_made_and_shown_with_all_that_its_type_says()
    {
        var name = Servers.NewName();
        var made = await api.PutScheduleAsync(name, """{"cron": " 0  0 1 jan * ", "timeZone": "Europe/Berlin", "job": {"type": "test.strict", "input": {"name": "ok"}, "priority": "high", "tags": ["red"]}}""");
        Assert.True(made.Status == 201, made.Body);
        Assert.Equal($"/v1/schedules/{name}", made.Headers.Location!.ToString());
        Assert.Equal((name, "0 0 1 jan *", "Europe/Berlin", false), (made.Text("name"), made.Text("cron"), made.Text("timeZone"), made.Json.GetProperty("paused").GetBoolean()));
        Assert.Equal(NewYear().AddHours(-1), made.Json.GetProperty("nextAt").GetDateTime());
        Assert.Equal("""{"type":"test.strict","input":{"name":"ok"},"queue":"strict","priority":"high","maxAttempts":5,"timeout":"PT1M","tags":["red"]}""", made.Json.GetProperty("job").GetRawText().Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal($$"""{"self":"/v1/schedules/{{name}}"}""", made.Json.GetProperty("links").GetRawText());
        Assert.False(made.Json.TryGetProperty("lastAt", out _) || made.Json.TryGetProperty("lastJob", out _));
        Assert.Equal(made.Body, (await api.GetAsync($"v1/schedules/{name}")).Body);
    }

    [Fact]
    public async Task The_same_body_once_more_changes_nothing_and_another_one_replaces_it()
    {
        var name = Servers.NewName();
        var made = await api.PutScheduleAsync(name, Yearly);
        var again = await api.PutScheduleAsync(name, Yearly);
        Assert.Equal((200, made.Body), (again.Status, again.Body));
        var hourly = await api.PutScheduleAsync(name, Yearly.Replace("0 0 1 1 *", "0 * * * *", StringComparison.Ordinal));
        Assert.Equal((200, "0 * * * *"), (hourly.Status, hourly.Text("cron")));
        Assert.InRange(hourly.Json.GetProperty("nextAt").GetDateTime() - DateTime.UtcNow, TimeSpan.FromSeconds(-10), TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task What_an_answer_shows_can_be_put_back()
    {
        var name = Servers.NewName();
        var made = (await api.PutScheduleAsync(name, Yearly)).Json;
        var again = await api.PutScheduleAsync(name, $$"""{"cron": "{{made.GetProperty("cron")}}", "timeZone": "{{made.GetProperty("timeZone")}}", "paused": false, "job": {{made.GetProperty("job")}}}""");
        Assert.Equal((200, made.GetRawText()), (again.Status, again.Body));
    }

    [Fact]
    public async Task A_schedule_that_stands_still_has_no_next_tick()
    {
        var name = Servers.NewName();
        var still = Yearly.Replace("\"cron\"", "\"paused\": true, \"cron\"", StringComparison.Ordinal);
        var put = await api.PutScheduleAsync(name, still);
        Assert.True(put.Json.GetProperty("paused").GetBoolean());
        Assert.False(put.Json.TryGetProperty("nextAt", out _));
        Assert.True((await api.PutScheduleAsync(name, Yearly)).Json.TryGetProperty("nextAt", out _));
        Assert.False((await api.PutScheduleAsync(name, still)).Json.TryGetProperty("nextAt", out _));
    }

    [Fact]
    public async Task A_deleted_schedule_is_gone()
    {
        var name = Servers.NewName();
        await api.PutScheduleAsync(name, Yearly);
        var deleted = await api.DeleteAsync($"v1/schedules/{name}");
        Assert.Equal((204, ""), (deleted.Status, deleted.Body));
        (await api.DeleteAsync($"v1/schedules/{name}")).MustRefuse(404);
        (await api.GetAsync($"v1/schedules/{name}")).MustRefuse(404);
        Assert.Equal(201, (await api.PutScheduleAsync(name, Yearly)).Status);
    }

    [Theory]
    [InlineData("nobody-put-this")]
    [InlineData("Upper")]
    [InlineData("a b")]
    [InlineData("%ff")]
    public async Task An_unknown_schedule_is_404(string name)
    {
        (await api.GetAsync($"v1/schedules/{name}")).MustRefuse(404);
        (await api.DeleteAsync($"v1/schedules/{name}")).MustRefuse(404);
    }

    [Theory]
    [InlineData("[]", "")]
    [InlineData("{}", "/cron", "/job")]
    [InlineData("""{"cron": null, "job": null}""", "/cron", "/job")]
    [InlineData("""{"cron": 5, "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "\ud800", "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "* * * *", "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "0 25 * * *", "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "0 0 30 2 *", "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "0 0 * * * ?", "job": {"type": "test.any"}}""", "/cron")]
    [InlineData("""{"cron": "0 0 * * *", "timeZone": "Mars/Olympus", "job": {"type": "test.any"}}""", "/timeZone")]
    [InlineData("""{"cron": "0 0 * * *", "timeZone": "../../etc/passwd", "job": {"type": "test.any"}}""", "/timeZone")]
    [InlineData("""{"cron": "0 0 * * *", "timeZone": 1, "job": {"type": "test.any"}}""", "/timeZone")]
    [InlineData("""{"cron": "0 0 * * *", "paused": "yes", "job": {"type": "test.any"}}""", "/paused")]
    [InlineData("""{"cron": "0 0 * * *", "job": "test.any"}""", "/job")]
    [InlineData("""{"cron": "0 0 * * *", "job": {}}""", "/job/type")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "no.such"}}""", "/job/type")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "test.any", "queue": "Bad", "maxAttempts": 0, "state": 1}}""", "/job/maxAttempts", "/job/queue", "/job/state")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "test.any", "delay": "PT1S"}}""", "/job/delay")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "test.any", "runAt": "2030-01-01T00:00:00Z"}}""", "/job/runAt")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "test.strict", "input": {"name": "x", "more": 1}}}""", "/job/input/more", "/job/input/name")]
    [InlineData("""{"cron": "0 0 * * *", "job": {"type": "test.any", "input": {"a": "\u0000"}}}""", "/job/input/a")]
    [InlineData("""{"cron": "0 0 * * *", "nextAt": "2030-01-01T00:00:00Z", "job": {"type": "test.any"}}""", "/nextAt")]
    [InlineData("""{"cron": "x", "timeZone": "x", "paused": 1, "x": 1, "job": {"type": "x"}}""", "/cron", "/job/type", "/paused", "/timeZone", "/x")]
    public async Task What_a_schedule_does_not_take_is_named(string body, params string[] pointers) => await api.RefusesAsync(() => api.PutScheduleAsync("refused", body), 422, pointers);

    [Theory]
    [InlineData("Upper")]
    [InlineData("-a")]
    [InlineData("a.b")]
    [InlineData("a b")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_name_is_as_that_of_a_queue(string name) => await api.RefusesAsync(() => api.PutScheduleAsync(name, Yearly), 422, "name");

    [Fact]
    public async Task A_body_that_is_no_JSON_and_one_that_is_too_large_are_refused()
    {
        await api.RefusesAsync(() => api.PutScheduleAsync("refused", "{"), 400);
        await api.RefusesAsync(() => api.PutScheduleAsync("refused", $$"""{"cron": "0 0 * * *", "job": {"type": "test.any", "input": "{{new string('x', RunningApi.MaxInput)}}"} }"""), 413, "/job/input");
    }

    [Fact]
    public async Task A_refused_body_leaves_the_schedule_as_it_is()
    {
        var name = Servers.NewName();
        var made = await api.PutScheduleAsync(name, Yearly);
        await api.RefusesAsync(() => api.PutScheduleAsync(name, Yearly.Replace("0 0 1 1", "0 0 1 13", StringComparison.Ordinal)), 422, "/cron");
        Assert.Equal(made.Body, (await api.GetAsync($"v1/schedules/{name}")).Body);
    }

    [Fact]
    public async Task A_list_goes_by_name_page_after_page()
    {
        var start = Servers.NewName();
        var names = Enumerable.Range(0, 5).Select(n => $"{start}_{n}").ToArray();
        foreach (var name in names.Shuffle())
        {
            await api.PutScheduleAsync(name, Yearly);
        }

        var met = new List<string>();
        for (var next = "/v1/schedules?limit=2"; next is not null;)
        {
            var page = (await api.GetAsync(next)).Json;
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 0, 2);
            met.AddRange(page.GetProperty("items").EnumerateArray().Select(schedule => schedule.GetProperty("name").GetString()!));
            next = page.TryGetProperty("next", out var link) ? link.GetString() : null;
        }

        Assert.Equal(names, met.Where(names.Contains));
        Assert.Equal(met.Distinct(), met);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=201", "limit")]
    [InlineData("limit=1&limit=2", "limit")]
    [InlineData("after=", "after")]
    [InlineData("after=A", "after")]
    [InlineData("state=queued", "state")]
    public async Task What_a_list_does_not_take_is_told(string query, string name) => (await api.GetAsync($"v1/schedules?{query}")).MustRefuse(400, name);

    [Fact]
    public async Task Another_tenant_sees_and_touches_none_of_it()
    {
        var name = Servers.NewName();
        await api.PutScheduleAsync(name, Yearly);
        await api.Stage.ExecuteAsync($"update schedules set tenant = 2 where name = '{name}'");
        (await api.GetAsync($"v1/schedules/{name}")).MustRefuse(404);
        (await api.DeleteAsync($"v1/schedules/{name}")).MustRefuse(404);
        Assert.DoesNotContain(name, (await api.GetAsync("v1/schedules?limit=200")).Body, StringComparison.Ordinal);
        Assert.Equal(201, (await api.PutScheduleAsync(name, Yearly)).Status);
        Assert.Equal([1, 2], await api.Stage.QueryAsync<int>($"select tenant from schedules where name = '{name}' order by 1"));
    }

    [Fact]
    public async Task The_typed_client_puts_reads_lists_and_deletes()
    {
        var (client, name) = (api.Stage.Client(api.Process), Servers.NewName());
        var put = await client.PutScheduleAsync(name, new PutSchedule { Cron = "30 2 * * mon-fri", TimeZone = "America/New_York", Job = new SubmitJob { Type = RunningApi.Any, Tags = ["nightly"] } });
        Assert.Equal(("30 2 * * mon-fri", "America/New_York", RunningApi.Any, "nightly"), (put.Cron, put.TimeZone, put.Job.Type, put.Job.Tags!.Single()));
        Assert.Equal(put.NextAt, (await client.GetScheduleAsync(name)).NextAt);
        Assert.True(put.NextAt > DateTime.UtcNow.AddMinutes(-1));
        var names = new List<string>();
        for (var page = await client.GetSchedulesAsync(); page is not null; page = await client.GetNextAsync(page))
        {
            names.AddRange(page.Items.Select(schedule => schedule.Name));
        }

        Assert.Contains(name, names);
        await client.DeleteScheduleAsync(name);
        var gone = await Assert.ThrowsAsync<QueueScale.Client.QueueScaleException>(() => client.DeleteScheduleAsync(name));
        Assert.Equal(404, gone.Status);
    }

    [Fact]
    public async Task A_tick_makes_its_job_as_the_schedule_says_and_the_schedule_leads_to_it()
    {
        var name = Servers.NewName();
        await api.PutScheduleAsync(name, """{"cron": "0 0 1 1 *", "job": {"type": "test.strict", "input": {"name": "ok"}, "queue": "mine", "priority": "high", "maxAttempts": 7, "timeout": "PT2H", "tags": ["a", "b"]}}""");
        await api.Stage.ExecuteAsync($"update schedules set next_at = date_trunc('year', clock_timestamp(), 'UTC') where name = '{name}'");
        Answer schedule = null!;
        await Waiting.UntilAsync(async () => (schedule = await api.GetAsync($"v1/schedules/{name}")).Json.TryGetProperty("lastJob", out _));
        Assert.Equal(NewYear(), schedule.Json.GetProperty("nextAt").GetDateTime());
        Assert.Equal(NewYear().AddYears(-1), schedule.Json.GetProperty("lastAt").GetDateTime());
        var job = (await api.GetAsync(schedule.Json.GetProperty("links").GetProperty("lastJob").GetString()!)).Json;
        Assert.Equal(schedule.Text("lastJob"), job.GetProperty("id").GetString());
        Assert.Equal(("test.strict", "mine", "high", 7, "queued"), (job.GetProperty("type").GetString(), job.GetProperty("queue").GetString(), job.GetProperty("priority").GetString(), job.GetProperty("maxAttempts").GetInt32(), job.GetProperty("state").GetString()));
        Assert.Equal(("ok", "a,b"), (job.GetProperty("input").GetProperty("name").GetString(), string.Join(',', job.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()))));
        Assert.Equal((1, TimeSpan.FromHours(2)), (await api.Stage.ScalarAsync<int>($"select tenant from jobs where id = '{job.GetProperty("id")}'"), await api.Stage.ScalarAsync<TimeSpan>($"select timeout from jobs where id = '{job.GetProperty("id")}'")));
    }

    [Fact]
    public async Task A_schedule_whose_type_is_gone_or_takes_other_inputs_by_now_goes_on_making_jobs()
    {
        var name = Servers.NewName();
        await using var database = api.Stage.NewDatabase();
        await new JobTypes(database).RegisterAsync([new("test.passing", "default", 3, null, "{}")], CancellationToken.None);
        await Waiting.UntilAsync(async () => (await api.PutScheduleAsync(name, """{"cron": "0 0 1 1 *", "job": {"type": "test.passing"}}""")).Status == 201);
        await api.Stage.ExecuteAsync("delete from job_types where name = 'test.passing'");
        await Waiting.UntilAsync(async () => (await api.SubmitAsync("""{"type": "test.passing"}""")).Status == 422);
        await api.Stage.ExecuteAsync($"update schedules set next_at = date_trunc('year', clock_timestamp(), 'UTC') where name = '{name}'");
        await Waiting.UntilAsync(async () => (await api.GetAsync($"v1/schedules/{name}")).Json.TryGetProperty("lastJob", out _));
    }

    [Fact]
    public async Task A_schedule_that_cannot_be_followed_here_waits_and_holds_up_no_other()
    {
        var (strange, plain) = (Servers.NewName(), Servers.NewName());
        await api.PutScheduleAsync(strange, Yearly);
        await api.PutScheduleAsync(plain, Yearly);
        await api.Stage.ExecuteAsync($"update schedules set next_at = date_trunc('year', clock_timestamp(), 'UTC'), zone = case name when '{strange}' then 'Europe/Atlantis' else zone end where name in ('{strange}', '{plain}')");
        await Waiting.UntilAsync(async () => (await api.GetAsync($"v1/schedules/{plain}")).Json.TryGetProperty("lastJob", out _));
        Assert.False((await api.GetAsync($"v1/schedules/{strange}")).Json.TryGetProperty("lastJob", out _));
        await Waiting.UntilAsync(async () => (await File.ReadAllTextAsync(api.Stage.LogOf("api"))).Contains("Europe/Atlantis", StringComparison.Ordinal));
        await api.Stage.ExecuteAsync($"update schedules set zone = 'Europe/Berlin' where name = '{strange}'");
        await Waiting.UntilAsync(async () => (await api.GetAsync($"v1/schedules/{strange}")).Json.TryGetProperty("lastJob", out _));
    }

    /// <summary>The next one, in UTC.</summary>
    private static DateTime NewYear() => new(DateTime.UtcNow.Year + 1, 1, 1, 0, 0, 0, DateTimeKind.Utc);
}
