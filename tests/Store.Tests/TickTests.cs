using Npgsql;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

/// <summary>However a schedule's tick is met by others, it makes exactly one job.</summary>
public sealed class TickTests(Stage stage) : IClassFixture<Stage>
{
    private static readonly DateTime Noon = new(2026, 1, 1, 12, 0, 0, DateTimeKind.Utc);
    private static readonly DateTime Later = Noon.AddYears(100);

    [Fact]
    public async Task Instances_that_make_the_same_ticks_at_once_make_one_job_for_each()
    {
        await using Steps one = new(stage), other = new(stage);
        for (var round = 0; round < 20; round++)
        {
            var names = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => PutAsync(one, "race")));
            var due = await DueAsync(one, names);
            Assert.Equal(names.Length, due.Count);
            var made = await Task.WhenAll(new[] { one, other, one, other }.Select(steps => Task.Run(() => steps.Ticks.MakeAsync(due.Select(Made).Shuffle().ToArray(), default))));
            var jobs = made.SelectMany(queued => queued).Select(job => job.Id).ToArray();
            Assert.Equal(names.Length, jobs.Length);
            Assert.Equal(jobs.Order(), await stage.QueryAsync<Guid>("select id from jobs where id = any($1) order by 1", jobs));
            Assert.Equal(jobs.Order(), (await stage.QueryAsync<Guid>("select last_job from schedules where name = any($1) and next_at = $2", names, Later)).Order());
            Assert.Equal(names.Length * (round + 1), await stage.ScalarAsync<long>("select count(*) from jobs where queue = 'race'"));
        }
    }

    [Fact]
    public async Task A_tick_that_comes_to_another_in_his_turn_is_left_to_him()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var due = await DueAsync(steps, name);
        await using (var connection = await stage.Sql.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await using var hold = new NpgsqlCommand($"select from schedules where name = '{name}' for update", connection);
            await hold.ExecuteNonQueryAsync();
            Assert.Empty(await steps.Ticks.MakeAsync([.. due.Select(Made)], default));
        }

        Assert.Single(await steps.Ticks.MakeAsync([.. due.Select(Made)], default));
    }

    [Theory]
    [InlineData("cron = '1 2 3 4 5'")]
    [InlineData("zone = 'Europe/Berlin'")]
    [InlineData("next_at = null, paused = true")]
    [InlineData("next_at = next_at + interval '1 min'")]
    public async Task A_schedule_that_was_put_anew_meanwhile_makes_no_tick_of_the_old_one(string change)
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var due = await DueAsync(steps, name);
        await stage.ExecuteAsync($"update schedules set {change} where name = '{name}'");
        var before = await stage.ScalarAsync<string>("select s::text from schedules s where name = $1", name);
        Assert.Empty(await steps.Ticks.MakeAsync([.. due.Select(Made)], default));
        Assert.Equal(before, await stage.ScalarAsync<string>("select s::text from schedules s where name = $1", name));
    }

    [Fact]
    public async Task A_schedule_that_was_deleted_meanwhile_makes_no_tick()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var due = await DueAsync(steps, name);
        Assert.True(await steps.Schedules.DeleteAsync(name, 1, default));
        Assert.Empty(await steps.Ticks.MakeAsync([.. due.Select(Made)], default));
    }

    [Fact]
    public async Task A_tick_that_was_made_while_its_schedule_was_put_anew_is_not_made_again()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps); // whoever puts it anew has looked at the time already
        var made = Assert.Single(await steps.Ticks.MakeAsync([.. (await DueAsync(steps, name)).Select(Made)], default));
        var (put, isNew) = await steps.Schedules.PutAsync(New(name) with { Cron = "*/5 * * * *" }, Noon, default);
        Assert.Equal((false, Noon, Noon, made.Id), (isNew, put.NextAt, put.LastAt, put.LastJob));
        Assert.Empty(await steps.Ticks.MakeAsync([.. (await DueAsync(steps, name)).Select(Made)], default));
        var after = (await steps.Schedules.FindAsync(name, 1, default))!;
        Assert.Equal((Later, Noon, made.Id), (after.NextAt, after.LastAt, after.LastJob)); // it goes on
    }

    [Fact]
    public async Task A_tick_on_its_way_makes_the_job_that_was_put_meanwhile()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var due = await DueAsync(steps, name);
        var schedule = New(name);
        var (put, _) = await steps.Schedules.PutAsync(schedule with { Job = schedule.Job with { Queue = "another" } }, Later, default);
        Assert.Equal(Noon, put.NextAt); // its times are the same, so the tick that is due stays
        Assert.Equal("another", Assert.Single(await steps.Ticks.MakeAsync([.. due.Select(Made)], default)).Queue);
    }

    [Fact]
    public async Task A_tick_and_its_job_are_written_together_or_not_at_all()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var tick = Made(Assert.Single(await DueAsync(steps, name)));
        await stage.ExecuteAsync($"insert into jobs (id, tenant, type, queue, state, max_attempts, input) values ('{tick.Job}', 1, 'in the way', 'default', 7, 1, '{{}}')");
        await Assert.ThrowsAsync<PostgresException>(() => steps.Ticks.MakeAsync([tick], default));
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from schedule_ticks where name = $1", name));
        Assert.Single(await steps.Ticks.MakeAsync([tick with { Job = Guid.CreateVersion7() }], default));
    }

    [Fact]
    public async Task Whether_a_tick_has_come_is_for_the_clock_of_PostgreSQL_to_say()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        await stage.ExecuteAsync($"update schedules set next_at = clock_timestamp() + interval '1 s' where name = '{name}'");
        Assert.Empty(await DueAsync(steps, name));
        await Waiting.UntilAsync(async () => (await DueAsync(steps, name)).Count == 1);
        Assert.True(await stage.ScalarAsync<bool>("select next_at <= clock_timestamp() from schedules where name = $1", name));
    }

    [Fact]
    public async Task Schedules_of_the_same_name_in_two_tenants_tick_each_for_itself()
    {
        await using var steps = new Steps(stage);
        var name = await PutAsync(steps);
        var other = New(name);
        await steps.Schedules.PutAsync(other with { Job = other.Job with { Tenant = 2 } }, Noon, default);
        var jobs = (await steps.Ticks.MakeAsync([.. (await DueAsync(steps, name)).Select(Made)], default)).Select(job => job.Id).ToArray();
        Assert.Equal([1, 2], await stage.QueryAsync<int>("select tenant from jobs where id = any($1) order by 1", jobs));
    }

    [Fact]
    public async Task The_jobs_of_ticks_are_counted()
    {
        await using var steps = new Steps(stage);
        var names = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => PutAsync(steps, "counted")));
        Assert.Equal(3, (await steps.Ticks.MakeAsync([.. (await DueAsync(steps, names)).Select(Made)], default)).Count);
        Assert.Equal(3, (await steps.Fleet.QueueAsync("counted", default)).Ready);
    }

    [Fact]
    public async Task Ticks_are_forgotten_by_their_age_alone()
    {
        await using var steps = new Steps(stage);
        string[] names = [await PutAsync(steps), await PutAsync(steps)];
        await steps.Ticks.MakeAsync([.. (await DueAsync(steps, names)).Select(Made)], default);
        await stage.ExecuteAsync($"update schedule_ticks set created_at = created_at - interval '25 h' where name = '{names[0]}'");
        Assert.Equal(1, await new PastTicks(steps.Database).ForgetAsync(TimeSpan.FromHours(24), default));
        Assert.Equal([names[1]], await stage.QueryAsync<string>("select name from schedule_ticks where name = any($1)", (object)names));
    }

    private static Tick Made(DueSchedule due) => new(due, due.Due, Later, Guid.CreateVersion7());

    private static NewSchedule New(string name, string queue = "default") => new(name, "0 12 * * *", "UTC", false, Steps.NewJob(queue) with { Type = "tick" });

    /// <summary>Puts a schedule whose tick has come.</summary>
    private static async Task<string> PutAsync(Steps steps, string queue = "default")
    {
        var name = Servers.NewName();
        Assert.True((await steps.Schedules.PutAsync(New(name, queue), Noon, default)).IsNew);
        return name;
    }

    private static async Task<IReadOnlyList<DueSchedule>> DueAsync(Steps steps, params string[] names) => [.. (await steps.Ticks.DueAsync(default)).Where(due => names.Contains(due.Name))];
}
