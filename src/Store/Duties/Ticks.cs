using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A schedule whose next tick has come.</summary>
/// <param name="Tenant">Whose it is.</param>
/// <param name="Name">Its name.</param>
/// <param name="Cron">When it ticks.</param>
/// <param name="Zone">In which time zone.</param>
/// <param name="Due">The tick that has come.</param>
/// <param name="Now">The database's time.</param>
public sealed record DueSchedule(int Tenant, string Name, string Cron, string Zone, DateTime Due, DateTime Now);

/// <summary>A tick that makes a job.</summary>
/// <param name="Schedule">Whose tick it is.</param>
/// <param name="At">The tick; later than the one that was due where that is long ago.</param>
/// <param name="Next">The tick after it; null where none comes any more.</param>
/// <param name="Job">The job that it makes.</param>
public sealed record Tick(DueSchedule Schedule, DateTime At, DateTime? Next, Guid Job);

/// <summary>Schedules make their jobs. Whether a tick has come is for the database's clock to say.</summary>
public sealed class Ticks(Database database)
{
    /// <summary>Ticks made by one statement.</summary>
    public const int PageSize = 1000;

    private static readonly string Due = $"""
        select tenant, name, cron, zone, next_at, clock_timestamp() from schedules where next_at <= clock_timestamp() order by next_at limit {PageSize}
        """;

    /// <summary>Only who finds the schedule as it was read makes the tick, and a tick that has made its job makes no second one, also where the schedule was put anew meanwhile.
    /// A schedule that somebody else has in hand is left to him. While an unfinished job has the unique key, its ticks make none.</summary>
    private const string Make = """
        with d as (
          select * from unnest($1, $2, $3, $4, $5, $6, $7, $8) as d(tenant, name, cron, zone, due, tick, next_at, job)),
        s as (
          select s.tenant, s.name, d.tick, d.next_at, d.job, s.type, s.queue, s.high, s.max_attempts, s.timeout, s.input, s.tags, s.unique_key
          from d join schedules s using (tenant, name)
          where s.next_at = d.due and s.cron = d.cron and s.zone = d.zone
          order by s.tenant, s.name for no key update of s skip locked),
        t as (
          insert into schedule_ticks (tenant, name, tick, job) select tenant, name, tick, job from s on conflict do nothing returning job),
        j as (
          insert into jobs (id, tenant, type, queue, high, lane, max_attempts, timeout, input, tags, unique_key, state, at, created_at)
          select s.job, s.tenant, s.type, s.queue, s.high, s.high::int, s.max_attempts, s.timeout, s.input, s.tags, s.unique_key, 1, clock_timestamp(), clock_timestamp()
          from s join t using (job) order by s.tenant, s.unique_key, s.job
          on conflict (tenant, unique_key) where unique_key is not null and state < 5 do nothing
          returning id, type, queue, lane, state, at),
        u as (
          update schedules o set next_at = s.next_at, last_at = case when j.id is null then o.last_at else s.tick end, last_job = coalesce(j.id, o.last_job)
          from s left join j on j.id = s.job where o.tenant = s.tenant and o.name = s.name)
        select j.id, 0, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state
        from j left join lanes l using (queue, lane)
        """;

    /// <summary>One page of schedules whose tick has come, the longest due first.</summary>
    public async Task<IReadOnlyList<DueSchedule>> DueAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Due);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var due = new List<DueSchedule>();
        while (await reader.ReadAsync(cancellation))
        {
            due.Add(new DueSchedule(reader.GetInt32(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetDateTime(4), reader.GetDateTime(5)));
        }

        return due;
    }

    /// <summary>Makes the jobs of these ticks and puts their schedules forward, in one statement. What has changed since it was read is passed over.</summary>
    /// <returns>The jobs made.</returns>
    public async Task<IReadOnlyList<QueuedJob>> MakeAsync(IReadOnlyList<Tick> ticks, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Make)
            .WithColumn(ticks.Select(tick => tick.Schedule.Tenant).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(ticks.Select(tick => tick.Schedule.Name).ToArray(), NpgsqlDbType.Text)
            .WithColumn(ticks.Select(tick => tick.Schedule.Cron).ToArray(), NpgsqlDbType.Text)
            .WithColumn(ticks.Select(tick => tick.Schedule.Zone).ToArray(), NpgsqlDbType.Text)
            .WithColumn(ticks.Select(tick => tick.Schedule.Due).ToArray(), NpgsqlDbType.TimestampTz)
            .WithColumn(ticks.Select(tick => tick.At).ToArray(), NpgsqlDbType.TimestampTz)
            .WithColumn(ticks.Select(tick => tick.Next).ToArray(), NpgsqlDbType.TimestampTz)
            .WithColumn(ticks.Select(tick => tick.Job).ToArray(), NpgsqlDbType.Uuid);
        return await command.QueuedJobsAsync(cancellation);
    }
}
