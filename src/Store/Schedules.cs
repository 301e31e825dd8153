using System.Text.Json;
using System.Xml;
using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A checked schedule that is to be stored.</summary>
/// <param name="Name">Unique within the tenant.</param>
/// <param name="Cron">When it ticks.</param>
/// <param name="Zone">In which time zone.</param>
/// <param name="Paused">Whether it stands still.</param>
/// <param name="Job">What each tick makes; every job has an id of its own.</param>
public sealed record NewSchedule(string Name, string Cron, string Zone, bool Paused, NewJob Job);

/// <summary>Schedules, as their callers put, read and delete them.</summary>
public sealed class Schedules(Database database)
{
    private const string Columns = "name, cron, zone, paused, next_at, last_at, last_job, type, queue, high, max_attempts, timeout, input::text, tags, unique_key";

    /// <summary>A schedule whose times stay the same keeps its next tick, also one that is due already.</summary>
    private const string Put = $"""
        insert into schedules as s (tenant, name, cron, zone, paused, next_at, type, queue, high, max_attempts, timeout, input, tags, unique_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        on conflict (tenant, name) do update set
          next_at = case when (s.cron, s.zone, s.paused) = (excluded.cron, excluded.zone, excluded.paused) then s.next_at else excluded.next_at end,
          cron = excluded.cron, zone = excluded.zone, paused = excluded.paused, type = excluded.type, queue = excluded.queue, high = excluded.high,
          max_attempts = excluded.max_attempts, timeout = excluded.timeout, input = excluded.input, tags = excluded.tags, unique_key = excluded.unique_key
        returning {Columns}, s.xmax = 0
        """;

    /// <summary>The database's time, from which the ticks of a new schedule are reckoned.</summary>
    public async Task<DateTime> TimeAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select clock_timestamp()");
        return (DateTime)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Makes a schedule, or replaces the one of that name.</summary>
    /// <param name="schedule">What it shall be.</param>
    /// <param name="nextAt">Its first tick, if it is new or ticks at other times than before.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="DataRefused">PostgreSQL refuses the data; nothing was changed.</exception>
    public async Task<(Schedule Schedule, bool IsNew)> PutAsync(NewSchedule schedule, DateTime? nextAt, CancellationToken cancellation)
    {
        var job = schedule.Job;
        await using var command = database.General.CreateCommand(Put)
            .With(job.Tenant).With(schedule.Name).With(schedule.Cron).With(schedule.Zone).With(schedule.Paused).With(nextAt, NpgsqlDbType.TimestampTz)
            .With(job.Type).With(job.Queue).With(job.High).With(job.MaxAttempts).With(job.Timeout, NpgsqlDbType.Interval).With(job.Input, NpgsqlDbType.Jsonb)
            .With(job.Tags?.ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Text).With(job.UniqueKey, NpgsqlDbType.Text);
        try
        {
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            await reader.ReadAsync(cancellation);
            return (Read(reader), reader.GetBoolean(15));
        }
        catch (PostgresException error) when (BatchErrors.IsBadData(error))
        {
            throw new DataRefused(error);
        }
    }

    public async Task<Schedule?> FindAsync(string name, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Columns} from schedules where tenant = $1 and name = $2").With(tenant).With(name);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation) ? Read(reader) : null;
    }

    /// <summary>One page, by name.</summary>
    /// <param name="after">The last name of the page before; null for the first page.</param>
    /// <param name="limit">The most of them.</param>
    /// <param name="tenant">Whose.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<IReadOnlyList<Schedule>> ListAsync(string? after, int limit, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Columns} from schedules where tenant = $1 and name > $2 order by name limit $3").With(tenant).With(after ?? "").With(limit);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var schedules = new List<Schedule>();
        while (await reader.ReadAsync(cancellation))
        {
            schedules.Add(Read(reader));
        }

        return schedules;
    }

    /// <summary>Deletes a schedule. Its jobs stay.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string name, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("delete from schedules where tenant = $1 and name = $2").With(tenant).With(name);
        return await command.ExecuteNonQueryAsync(cancellation) > 0;
    }

    private static Schedule Read(NpgsqlDataReader reader)
    {
        var (name, lastJob) = (reader.GetString(0), reader.IsDBNull(6) ? (Guid?)null : reader.GetGuid(6));
        return new Schedule
        {
            Name = name,
            Cron = reader.GetString(1),
            TimeZone = reader.GetString(2),
            Paused = reader.GetBoolean(3),
            NextAt = reader.TimeOrNull(4),
            LastAt = reader.TimeOrNull(5),
            LastJob = lastJob,
            Job = new SubmitJob
            {
                Type = reader.GetString(7),
                Queue = reader.GetString(8),
                Priority = reader.GetBoolean(9) ? JobPriority.High : JobPriority.Normal,
                MaxAttempts = reader.GetInt16(10),
                Timeout = reader.SpanOrNull(11) is { } timeout ? XmlConvert.ToString(timeout) : null,
                Input = JsonElement.Parse(reader.GetString(12)),
                UniqueKey = reader.TextOrNull(14),
                Tags = reader.IsDBNull(13) ? null : reader.GetFieldValue<string[]>(13),
            },
            Links = new ScheduleLinks($"/v1/schedules/{name}", lastJob is { } job ? JobLinks.Of(job).Self : null),
        };
    }
}
