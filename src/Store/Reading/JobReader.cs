using System.Data;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>What a list of jobs is narrowed to. Null members do not narrow.</summary>
public sealed record JobFilter
{
    public JobState? State { get; init; }

    public string? Type { get; init; }

    public string? Queue { get; init; }

    public string? Tag { get; init; }

    public DateTime? CreatedAfter { get; init; }

    public DateTime? CreatedBefore { get; init; }

    /// <summary>The last id of the page before.</summary>
    public Guid? After { get; init; }

    public required int Limit { get; init; }
}

/// <summary>A job as it is stored.</summary>
/// <param name="Job">The job.</param>
/// <param name="Version">Another one after every change of its row.</param>
public sealed record StoredJob(Job Job, uint Version);

/// <summary>One page of a list.</summary>
/// <param name="Jobs">Those that fit: all of them, or as many as were wanted, or those among so many that were looked at.</param>
/// <param name="LookedTo">The last job that was looked at; null where that was the last of all, or the page is full.</param>
public sealed record JobPage(IReadOnlyList<Job> Jobs, Guid? LookedTo);

/// <summary>Reads jobs and their runs as the API shows them.</summary>
public sealed class JobReader(Database database)
{
    private const string Columns = """
        id, type, queue, high, state, progress::text, attempts, max_attempts, interruptions, crashes, error::text, tags, created_at, run_at, started_at,
        finished_at, checkpointed_at, unique_key
        """;

    /// <summary>Jobs looked at for one page of a list: those that do not fit cost time, too.</summary>
    internal const int MostLooked = 20_000;

    private const string Whole = $"{Columns}, input::text, result::text, xmin";

    public async Task<StoredJob?> FindAsync(Guid id, int tenant, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Whole} from jobs where id = $1 and tenant = $2");
        await using var reader = await command.With(id).With(tenant).ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation) ? ReadWhole(reader) : null;
    }

    /// <summary>Jobs of any tenants, those that are there.</summary>
    public async Task<IReadOnlyList<StoredJob>> FindAsync(Guid[] ids, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {Whole} from jobs where id = any($1)");
        await using var reader = await command.With(ids).ExecuteReaderAsync(cancellation);
        var jobs = new List<StoredJob>(ids.Length);
        while (await reader.ReadAsync(cancellation))
        {
            jobs.Add(ReadWhole(reader));
        }

        return jobs;
    }

    /// <summary>The versions of jobs of any tenants, of those that are there.</summary>
    public async Task<IReadOnlyDictionary<Guid, uint>> VersionsAsync(Guid[] ids, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select id, xmin from jobs where id = any($1)");
        await using var reader = await command.With(ids).ExecuteReaderAsync(cancellation);
        var versions = new Dictionary<Guid, uint>(ids.Length);
        while (await reader.ReadAsync(cancellation))
        {
            versions.Add(reader.GetGuid(0), reader.GetFieldValue<uint>(1));
        }

        return versions;
    }

    /// <summary>One page, the newest first, by id.</summary>
    public async Task<JobPage> ListAsync(JobFilter filter, int tenant, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellation); // both statements see the same jobs
        await using var command = new NpgsqlCommand { Connection = connection };
        var where = new List<string>();
        // Failed jobs have an index in this order. Running ones are few and have an index: they are sorted, whatever stands between them. Others are looked for among all of the tenant's.
        Narrow(filter.State == JobState.Running ? "tenant + 0 = {0} and state = 2" : filter.State == JobState.Failed ? "tenant = {0} and state = 6" : "tenant = {0}", tenant, NpgsqlDbType.Integer);
        Narrow("id < {0}", filter.After, NpgsqlDbType.Uuid);
        var looked = $"from jobs where {string.Join(" and ", where)} order by id desc";
        where.Clear();
        Narrow("state = {0}", (short?)filter.State, NpgsqlDbType.Smallint);
        Narrow("type = {0}", filter.Type, NpgsqlDbType.Text);
        Narrow("queue = {0}", filter.Queue, NpgsqlDbType.Text);
        Narrow("{0} = any(tags)", filter.Tag, NpgsqlDbType.Text);
        Narrow("created_at > {0}", filter.CreatedAfter, NpgsqlDbType.TimestampTz);
        Narrow("created_at < {0}", filter.CreatedBefore, NpgsqlDbType.TimestampTz);
        command.With(filter.Limit);
        var fitting = where.Count == 0 ? "" : $"where {string.Join(" and ", where)}";
        command.CommandText = $"select {Columns} from (select * {looked} limit {MostLooked}) j {fitting} order by id desc limit ${command.Parameters.Count}";
        var jobs = new List<Job>();
        await using (var reader = await command.ExecuteReaderAsync(cancellation))
        {
            while (await reader.ReadAsync(cancellation))
            {
                jobs.Add(Read(reader, whole: false));
            }
        }

        if (jobs.Count == filter.Limit || fitting.Length == 0)
        {
            return new JobPage(jobs, null);
        }

        command.CommandText = $"select id {looked} offset {MostLooked - 1} limit 1";
        return new JobPage(jobs, await command.ExecuteScalarAsync(cancellation) as Guid?);

        void Narrow(string condition, object? value, NpgsqlDbType type)
        {
            if (value is not null)
            {
                command.With(value, type);
                where.Add(string.Format(null, condition, $"${command.Parameters.Count}"));
            }
        }
    }

    /// <summary>All runs of a job, the first first; null when there is no such job.</summary>
    public async Task<IReadOnlyList<Run>?> RunsAsync(Guid id, int tenant, CancellationToken cancellation)
    {
        // The last run has no row of its own unless it ended without ending the job: it is read from the job. Another may have begun in between
        // two statements, so it is one.
        await using var command = database.General.CreateCommand(
            """
            select r.epoch, w.name, r.started_at, r.ended_at, r.how, r.error::text, r.from_seq, r.handover_from
            from jobs j join runs r on r.job = j.id left join workers w on w.id = r.worker
            where j.id = $1 and j.tenant = $2
            union all
            select j.epoch, w.name, j.started_at, j.finished_at,
              case when j.state = 2 then null when j.state = 5 then 'succeeded' when j.state = 7 then 'cancelled' when j.error->>'code' = 'timed_out' then 'timedOut'
                when j.error->>'code' = 'worker_lost' then 'crashed' else 'failed' end,
              case when j.state = 6 then j.error::text end, j.from_seq, null
            from jobs j left join workers w on w.id = j.worker
            where j.id = $1 and j.tenant = $2 and not exists (select from runs r where r.job = j.id and r.epoch = j.epoch)
            order by 1
            """);
        await using var reader = await command.With(id).With(tenant).ExecuteReaderAsync(cancellation);
        var found = false;
        var runs = new List<Run>();
        DateTime? handoverFrom = null;
        while (await reader.ReadAsync(cancellation))
        {
            found = true;
            if (reader.GetInt32(0) == 0)
            {
                continue; // never started
            }

            var startedAt = reader.GetDateTime(2);
            runs.Add(new Run
            {
                Epoch = reader.GetInt32(0),
                Worker = reader.TextOrNull(1) ?? "unknown",
                StartedAt = startedAt,
                EndedAt = reader.TimeOrNull(3),
                How = reader.TextOrNull(4) is { } how ? Enum.Parse<RunEnding>(how, ignoreCase: true) : null,
                Error = reader.TextOrNull(5) is { } error ? Parse<JobError>(error) : null,
                FromCheckpoint = reader.GetInt32(6),
                HandoverSeconds = handoverFrom is { } from ? Math.Max(0, (startedAt - from).TotalSeconds) : null,
            });
            handoverFrom = reader.TimeOrNull(7);
        }

        return found ? runs : null;
    }

    private static StoredJob ReadWhole(NpgsqlDataReader reader) => new(Read(reader, whole: true), reader.GetFieldValue<uint>(20));

    private static Job Read(NpgsqlDataReader reader, bool whole)
    {
        var id = reader.GetGuid(0);
        var state = (JobState)reader.GetInt16(4);
        var failedAttempts = reader.GetInt16(6);
        return new Job
        {
            Id = id,
            Type = reader.GetString(1),
            Queue = reader.GetString(2),
            Priority = reader.GetBoolean(3) ? JobPriority.High : JobPriority.Normal,
            State = state,
            Progress = reader.TextOrNull(5) is { } progress ? Parse<JobProgress>(progress) : null,
            Attempt = failedAttempts + (state is JobState.Running or JobState.Succeeded ? 1 : 0),
            MaxAttempts = reader.GetInt16(7),
            Interruptions = reader.GetInt32(8),
            Crashes = reader.GetInt16(9),
            Error = reader.TextOrNull(10) is { } error ? Parse<JobError>(error) : null,
            Tags = reader.IsDBNull(11) ? null : reader.GetFieldValue<string[]>(11),
            CreatedAt = reader.GetDateTime(12),
            RunAt = reader.TimeOrNull(13),
            StartedAt = reader.TimeOrNull(14),
            FinishedAt = reader.TimeOrNull(15),
            CheckpointedAt = reader.TimeOrNull(16),
            UniqueKey = reader.TextOrNull(17),
            Input = whole ? Json(reader, 18) : null,
            Result = whole ? Json(reader, 19) : null,
            Links = JobLinks.Of(id),
        };
    }

    private static T Parse<T>(string json) => JsonSerializer.Deserialize<T>(json, JobJson.Options)!;

    private static JsonElement? Json(NpgsqlDataReader reader, int column)
    {
        if (reader.TextOrNull(column) is not { } text)
        {
            return null;
        }

        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
