using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A checked job that is to be stored.</summary>
public sealed record NewJob
{
    public required Guid Id { get; init; }

    public required int Tenant { get; init; }

    public required string Type { get; init; }

    public required string Queue { get; init; }

    public required string Input { get; init; }

    public required short MaxAttempts { get; init; }

    public bool High { get; init; }

    public DateTime? RunAt { get; init; }

    public TimeSpan? Delay { get; init; }

    public TimeSpan? Timeout { get; init; }

    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>The trace context of its submission; its runs belong to that trace.</summary>
    public string? Trace { get; init; }
}

/// <summary>What PostgreSQL made of a new job.</summary>
public readonly record struct Submitted(JobState State, DateTime CreatedAt, DateTime? RunAt);

/// <summary>Step 1: new jobs are written, many callers' with one statement. A job is accepted when this answers.</summary>
public class Submissions : IAsyncDisposable
{
    /// <summary>Larger batches have a statement of their own: they would hold everybody else up.</summary>
    private const int SharedBatch = 64;

    private const char TagSeparator = '\u001f';

    private const string Statement = """
        with j as (
          insert into jobs (id, tenant, type, queue, high, lane, max_attempts, run_at, timeout, input, tags, trace, state, at, created_at)
          select n.id, n.tenant, n.type, n.queue, n.high, n.high::int, n.max_attempts, coalesce(n.run_at, clock_timestamp() + n.delay), n.timeout, n.input,
            string_to_array(n.tags, e'\x1f'), n.trace, case when coalesce(n.run_at, clock_timestamp() + n.delay) > clock_timestamp() then 0 else 1 end, clock_timestamp(), clock_timestamp()
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            as n(id, tenant, type, queue, high, max_attempts, run_at, delay, timeout, input, tags, trace)
          on conflict (id) do nothing
          returning id, type, queue, lane, state, at, created_at, run_at)
        select j.id, 0, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state, j.created_at, j.run_at
        from j left join lanes l using (queue, lane)
        """;

    /// <summary>Reads what an earlier, unanswered try of the same statement has written.</summary>
    private const string ReadBack = """
        select j.id, j.dispatch, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state, j.created_at, j.run_at
        from unnest($1) as n(id) join jobs j on j.id = n.id left join lanes l using (queue, lane)
        """;

    private readonly NpgsqlDataSource database;
    private readonly Action<IReadOnlyList<QueuedJob>> wake;
    private readonly TimeSpan deadline;
    private readonly GroupCommit<Submission, Submitted[]> batches;

    /// <param name="database">PostgreSQL.</param>
    /// <param name="wake">Told of the queued jobs of each commit, right after it; must not block.</param>
    /// <param name="deadline">After this long the caller hears that the outcome is unknown.</param>
    public Submissions(Database database, Action<IReadOnlyList<QueuedJob>> wake, TimeSpan deadline)
    {
        this.database = database.Steps;
        this.wake = wake;
        this.deadline = deadline;
        batches = new("submit", SaveAsync, new GroupCommitLimits(GiveUpAfter: deadline));
    }

    /// <summary>Stores all of the jobs or none.</summary>
    /// <exception cref="StoreOverloaded">Too much waits to be written; nothing was stored.</exception>
    /// <exception cref="DataRefused">PostgreSQL refuses the data; nothing was stored.</exception>
    /// <exception cref="StoreUnavailable">PostgreSQL did not confirm in time; the jobs may or may not be there.</exception>
    public virtual async Task<Submitted[]> SubmitAsync(IReadOnlyList<NewJob> jobs)
    {
        var submission = new Submission(jobs);
        using var gone = new CancellationTokenSource(jobs.Count <= SharedBatch ? deadline : 10 * deadline);
        try
        {
            return jobs.Count <= SharedBatch
                ? await batches.SaveAsync(submission, gone.Token)
                : (await SaveAsync([submission], gone.Token))[0];
        }
        catch (PostgresException error) when (BatchErrors.IsBadData(error))
        {
            throw new DataRefused(error);
        }
        catch (Exception error) when (error is OperationCanceledException || BatchErrors.IsPassing(error))
        {
            throw new StoreUnavailable("PostgreSQL did not confirm the jobs in time.", error);
        }
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return batches.DisposeAsync();
    }

    private async Task<Submitted[][]> SaveAsync(IReadOnlyList<Submission> submissions, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnectionAsync(cancellation);
        var (stored, queued) = await StoreAsync([.. submissions.SelectMany(s => s.Jobs).OrderBy(j => j.Id)], connection, cancellation);
        if (queued.Count > 0)
        {
            wake(queued);
        }

        return [.. submissions.Select(s => s.Jobs.Select(j => stored[j.Id]).ToArray())];
    }

    private protected virtual async Task<(Dictionary<Guid, Submitted> Stored, List<QueuedJob> Queued)> StoreAsync(NewJob[] jobs, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Statement, connection)
            .WithColumn(Array.ConvertAll(jobs, j => j.Id), NpgsqlDbType.Uuid)
            .WithColumn(Array.ConvertAll(jobs, j => j.Tenant), NpgsqlDbType.Integer)
            .WithColumn(Array.ConvertAll(jobs, j => j.Type), NpgsqlDbType.Text)
            .WithColumn(Array.ConvertAll(jobs, j => j.Queue), NpgsqlDbType.Text)
            .WithColumn(Array.ConvertAll(jobs, j => j.High), NpgsqlDbType.Boolean)
            .WithColumn(Array.ConvertAll(jobs, j => j.MaxAttempts), NpgsqlDbType.Smallint)
            .WithColumn(Array.ConvertAll(jobs, j => j.RunAt), NpgsqlDbType.TimestampTz)
            .WithColumn(Array.ConvertAll(jobs, j => j.Delay), NpgsqlDbType.Interval)
            .WithColumn(Array.ConvertAll(jobs, j => j.Timeout), NpgsqlDbType.Interval)
            .WithColumn(Array.ConvertAll(jobs, j => j.Input), NpgsqlDbType.Jsonb)
            .WithColumn(Array.ConvertAll(jobs, j => j.Tags is { Count: > 0 } tags ? string.Join(TagSeparator, tags) : null), NpgsqlDbType.Text)
            .WithColumn(Array.ConvertAll(jobs, j => j.Trace), NpgsqlDbType.Text);
        var stored = new Dictionary<Guid, Submitted>(jobs.Length);
        var queued = new List<QueuedJob>(jobs.Length);
        await ReadAsync(command, stored, queued, cancellation);
        if (stored.Count < jobs.Length)
        {
            await using var readBack = new NpgsqlCommand(ReadBack, connection)
                .WithColumn(jobs.Select(j => j.Id).Where(id => !stored.ContainsKey(id)).ToArray(), NpgsqlDbType.Uuid);
            await ReadAsync(readBack, stored, queued, cancellation);
        }

        return (stored, queued);
    }

    private static async Task ReadAsync(NpgsqlCommand command, Dictionary<Guid, Submitted> stored, List<QueuedJob> queued, CancellationToken cancellation)
    {
        await using var reader = await command.ReadPreparedAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            var job = reader.QueuedJob();
            var submitted = new Submitted((JobState)reader.GetInt16(8), reader.GetDateTime(9), reader.TimeOrNull(10));
            stored.Add(job.Id, submitted);
            if (submitted.State == JobState.Queued)
            {
                queued.Add(job);
            }
        }
    }

    private sealed record Submission(IReadOnlyList<NewJob> Jobs) : IBatchItem
    {
        public Guid Id => Jobs[0].Id;

        public int Rows => Jobs.Count;

        public int Bytes => Jobs.Sum(j => j.Input.Length + 200);
    }
}

/// <summary>Submissions that are rolled back: nobody ever sees them. Afterwards their code is compiled, and as many connections as the pool keeps open have the statement
/// prepared.</summary>
public sealed class RolledBackSubmissions(Database database, Action<IReadOnlyList<QueuedJob>> wake, TimeSpan deadline) : Submissions(database, wake, deadline)
{
    private readonly NpgsqlDataSource pool = database.Steps;

    public override async Task<Submitted[]> SubmitAsync(IReadOnlyList<NewJob> jobs)
    {
        await Task.WhenAll(Enumerable.Range(0, Database.LeastSteps).Select(async _ =>
        {
            await using var connection = await pool.OpenConnectionAsync();
            await StoreAsync([.. jobs], connection, CancellationToken.None);
        }));
        return await base.SubmitAsync(jobs);
    }

    private protected override async Task<(Dictionary<Guid, Submitted> Stored, List<QueuedJob> Queued)> StoreAsync(NewJob[] jobs, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        var stored = await base.StoreAsync(jobs, connection, cancellation);
        await transaction.RollbackAsync(cancellation);
        return stored;
    }
}
