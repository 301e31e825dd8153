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

    /// <summary>At most one unfinished job of the tenant has it. Such jobs go through <see cref="UniqueSubmissions"/>.</summary>
    public string? UniqueKey { get; init; }

    /// <summary>The trace context of its submission; its runs belong to that trace.</summary>
    public string? Trace { get; init; }
}

/// <summary>What a caller marks a submission with, so that a repeat of it makes no job a second time.</summary>
/// <param name="Key">The caller's word for it, unique within the tenant.</param>
/// <param name="Fingerprint">What was submitted, as a hash.</param>
public sealed record IdempotencyKey(string Key, byte[] Fingerprint);

/// <summary>What became of a submission with a key.</summary>
/// <param name="Jobs">What PostgreSQL made of its jobs; null where they are not new.</param>
/// <param name="Earlier">The jobs of the earlier submission that this one repeats, in its order; null where there was none.</param>
public sealed record SubmittedOnce(Submitted[]? Jobs, Guid[]? Earlier);

/// <summary>What PostgreSQL made of a new job.</summary>
public readonly record struct Submitted(JobState State, DateTime CreatedAt, DateTime? RunAt);

/// <summary>Step 1: new jobs are written, many callers' with one statement. A job is accepted when this answers.</summary>
public class Submissions : IAsyncDisposable
{
    /// <summary>Larger batches have a statement of their own: they would hold everybody else up.</summary>
    internal const int SharedBatch = 64;

    /// <summary>So many of them are under way at once; the pool has to keep connections for everybody else's batches.</summary>
    private const int LargeAtOnce = 3;

    /// <summary>Of each of the two kinds; also of those whose callers have given up, while PostgreSQL does not answer.</summary>
    private const int MostBytes = 32 << 20;

    private const char TagSeparator = '\u001f';

    internal const string Into = "id, tenant, type, queue, high, lane, max_attempts, run_at, timeout, input, tags, trace, state, at, created_at";

    internal const string Values = """
        n.id, n.tenant, n.type, n.queue, n.high, n.high::int, n.max_attempts, coalesce(n.run_at, clock_timestamp() + n.delay), n.timeout, n.input,
            string_to_array(n.tags, e'\x1f'), n.trace, case when coalesce(n.run_at, clock_timestamp() + n.delay) > clock_timestamp() then 0 else 1 end, clock_timestamp(), clock_timestamp()
        """;

    private const string Insert = $"insert into jobs ({Into}) select {Values} from";

    internal const string Columns = "id, tenant, type, queue, high, max_attempts, run_at, delay, timeout, input, tags, trace";

    internal const string Answer = """
        select j.id, 0, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state, j.created_at, j.run_at
        from j left join lanes l using (queue, lane)
        """;

    private const string Once = "on conflict (id) do nothing returning id, type, queue, lane, state, at, created_at, run_at)";

    private const string Statement = $"with j as ({Insert} unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as n({Columns}) {Once} {Answer}";

    /// <summary>Jobs with the first job of their submission, and the key of each submission: the jobs of those whose key was free. Keys go in order, so that two batches
    /// with the same ones wait for each other and do not lock each other out.</summary>
    private const string StatementOnce = $"""
        with n as (
          select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) with ordinality as n({Columns}, first, place)),
        k as (
          insert into idempotency_keys (tenant, key, fingerprint, jobs)
          select s.tenant, s.key, s.fingerprint, g.ids
          from unnest($14, $15, $16, $17) as s(first, tenant, key, fingerprint)
            join (select first, array_agg(id order by place) as ids from n group by first) g using (first)
          order by s.tenant, s.key
          on conflict (tenant, key) do nothing
          returning jobs[1] as first),
        j as ({Insert} n where n.first in (select first from k) {Once} {Answer}
        """;

    private const string ReadKeys = "select k.tenant, k.key, k.fingerprint, k.jobs from unnest($1, $2) as n(tenant, key) join idempotency_keys k using (tenant, key)";

    /// <summary>Reads what an earlier, unanswered try of the same statement has written.</summary>
    private const string ReadBack = """
        select j.id, j.dispatch, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state, j.created_at, j.run_at
        from unnest($1) as n(id) join jobs j on j.id = n.id left join lanes l using (queue, lane)
        """;

    private readonly NpgsqlDataSource database;
    private readonly Action<IReadOnlyList<QueuedJob>> wake;
    private readonly TimeSpan deadline;
    private readonly SemaphoreSlim largePlaces = new(LargeAtOnce);
    private readonly GroupCommit<Submission, Submitted[]> batches;
    private readonly GroupCommit<Submission, SubmittedOnce> batchesOnce;

    /// <param name="database">PostgreSQL.</param>
    /// <param name="wake">Told of the queued jobs of each commit, right after it; must not block.</param>
    /// <param name="deadline">After this long the caller hears that the outcome is unknown.</param>
    public Submissions(Database database, Action<IReadOnlyList<QueuedJob>> wake, TimeSpan deadline)
    {
        this.database = database.Steps;
        this.wake = wake;
        this.deadline = deadline;
        var limits = new GroupCommitLimits(GiveUpAfter: deadline, MaxWaitingBytes: MostBytes, RefusesWhenBehind: true);
        batches = new("submit", SaveAsync, limits);
        batchesOnce = new("submit_once", SaveOnceAsync, limits);
    }

    /// <summary>Stores all of the jobs or none.</summary>
    /// <exception cref="StoreOverloaded">Too much waits to be written; nothing was stored.</exception>
    /// <exception cref="DataRefused">PostgreSQL refuses the data; nothing was stored.</exception>
    /// <exception cref="StoreUnavailable">PostgreSQL did not confirm in time; the jobs may or may not be there.</exception>
    public virtual Task<Submitted[]> SubmitAsync(IReadOnlyList<NewJob> jobs) => ConfirmedAsync(new Submission(jobs), batches, SaveAsync);

    /// <summary>Stores all of the jobs or none; and none where the key was used before.</summary>
    /// <param name="jobs">Jobs of one tenant.</param>
    /// <param name="key">Its submissions make jobs once.</param>
    /// <exception cref="IdempotencyKeyReused">The key was used for something else; nothing was stored.</exception>
    /// <exception cref="StoreOverloaded">Too much waits to be written; nothing was stored.</exception>
    /// <exception cref="DataRefused">PostgreSQL refuses the data; nothing was stored.</exception>
    /// <exception cref="StoreUnavailable">PostgreSQL did not confirm in time; the jobs may or may not be there. The same submission again says so.</exception>
    public async Task<SubmittedOnce> SubmitOnceAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey key)
    {
        var once = await ConfirmedAsync(new Submission(jobs, key), batchesOnce, SaveOnceAsync);
        return once switch
        {
            { Jobs: not null } or { Earlier.Length: > 0 } => once,
            { Earlier: not null } => throw new IdempotencyKeyReused(key.Key),
            _ => throw new StoreUnavailable("The idempotency key has expired in this moment."),
        };
    }

    /// <summary>The jobs that the same submission with that key has made; null where there was none, or another submission had the key.</summary>
    public async Task<Guid[]?> EarlierAsync(int tenant, IdempotencyKey key, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand("select jobs from idempotency_keys where tenant = $1 and key = $2 and fingerprint = $3").With(tenant).With(key.Key).With(key.Fingerprint);
        return (Guid[]?)await command.ExecuteScalarAsync(cancellation);
    }

    private async Task<T> ConfirmedAsync<T>(Submission submission, GroupCommit<Submission, T> shared, Func<IReadOnlyList<Submission>, CancellationToken, Task<T[]>> save)
    {
        var isLarge = submission.Rows > SharedBatch;
        if (isLarge && !await largePlaces.WaitAsync(deadline))
        {
            throw new StoreOverloaded($"{LargeAtOnce} large batches are being written already.");
        }

        using var gone = new CancellationTokenSource(isLarge ? 10 * deadline : deadline);
        try
        {
            return isLarge ? (await save([submission], gone.Token))[0] : await shared.SaveAsync(submission, gone.Token);
        }
        catch (PostgresException error) when (BatchErrors.IsBadData(error))
        {
            throw new DataRefused(error);
        }
        catch (Exception error) when (error is OperationCanceledException || BatchErrors.IsPassing(error))
        {
            throw new StoreUnavailable("PostgreSQL did not confirm the jobs in time.", error);
        }
        finally
        {
            if (isLarge)
            {
                largePlaces.Release();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await batches.DisposeAsync();
        await batchesOnce.DisposeAsync();
        largePlaces.Dispose();
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

    private async Task<SubmittedOnce[]> SaveOnceAsync(IReadOnlyList<Submission> submissions, CancellationToken cancellation)
    {
        await using var connection = await database.OpenConnectionAsync(cancellation);
        var stored = new Dictionary<Guid, Submitted>();
        var queued = new List<QueuedJob>();
        var jobs = submissions.SelectMany(submission => submission.Jobs).ToArray();
        await using (var command = WithJobs(new NpgsqlCommand(StatementOnce, connection), jobs)
            .WithColumn(submissions.SelectMany(submission => Enumerable.Repeat(submission.Id, submission.Rows)).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(submissions.Select(submission => submission.Id).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(submissions.Select(submission => submission.Jobs[0].Tenant).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(submissions.Select(submission => submission.Key!.Key).ToArray(), NpgsqlDbType.Text)
            .WithColumn(submissions.Select(submission => submission.Key!.Fingerprint).ToArray(), NpgsqlDbType.Bytea))
        {
            await ReadAsync(command, stored, queued, cancellation);
        }

        var earlier = await EarlierAsync([.. submissions.Where(submission => !stored.ContainsKey(submission.Id))], connection, cancellation);
        if (earlier.Where(one => one.Value.Jobs[0] == one.Key.Id).Select(one => one.Key).ToArray() is { Length: > 0 } own) // an earlier, unanswered try of this statement
        {
            await ReadBackAsync(own.SelectMany(submission => submission.Jobs).Select(job => job.Id), stored, queued, connection, cancellation);
        }

        if (queued.Count > 0)
        {
            wake(queued);
        }

        return [.. submissions.Select(submission =>
            stored.ContainsKey(submission.Id) ? new SubmittedOnce([.. submission.Jobs.Select(job => stored[job.Id])], null)
            : !earlier.TryGetValue(submission, out var known) ? new SubmittedOnce(null, null)
            : new SubmittedOnce(null, known.Fingerprint.AsSpan().SequenceEqual(submission.Key!.Fingerprint) ? known.Jobs : []))];
    }

    /// <summary>What the keys of submissions were used for before.</summary>
    private static async Task<Dictionary<Submission, (byte[] Fingerprint, Guid[] Jobs)>> EarlierAsync(Submission[] submissions, NpgsqlConnection connection, CancellationToken cancellation)
    {
        var earlier = new Dictionary<Submission, (byte[], Guid[])>();
        if (submissions.Length == 0)
        {
            return earlier;
        }

        var keys = submissions.ToLookup(submission => (submission.Jobs[0].Tenant, submission.Key!.Key));
        await using var command = new NpgsqlCommand(ReadKeys, connection)
            .WithColumn(keys.Select(key => key.Key.Tenant).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(keys.Select(key => key.Key.Key).ToArray(), NpgsqlDbType.Text);
        await using var reader = await command.ReadPreparedAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            foreach (var submission in keys[(reader.GetInt32(0), reader.GetString(1))])
            {
                earlier.Add(submission, (reader.GetFieldValue<byte[]>(2), reader.GetFieldValue<Guid[]>(3)));
            }
        }

        return earlier;
    }

    private protected virtual async Task<(Dictionary<Guid, Submitted> Stored, List<QueuedJob> Queued)> StoreAsync(NewJob[] jobs, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = WithJobs(new NpgsqlCommand(Statement, connection), jobs);
        var stored = new Dictionary<Guid, Submitted>(jobs.Length);
        var queued = new List<QueuedJob>(jobs.Length);
        await ReadAsync(command, stored, queued, cancellation);
        if (stored.Count < jobs.Length)
        {
            await ReadBackAsync(jobs.Select(j => j.Id).Where(id => !stored.ContainsKey(id)), stored, queued, connection, cancellation);
        }

        return (stored, queued);
    }

    internal static NpgsqlCommand WithJobs(NpgsqlCommand command, NewJob[] jobs) => command
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

    internal static async Task ReadBackAsync(IEnumerable<Guid> jobs, Dictionary<Guid, Submitted> stored, List<QueuedJob> queued, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(ReadBack, connection).WithColumn(jobs.ToArray(), NpgsqlDbType.Uuid);
        await ReadAsync(command, stored, queued, cancellation);
    }

    internal static async Task ReadAsync(NpgsqlCommand command, Dictionary<Guid, Submitted> stored, List<QueuedJob> queued, CancellationToken cancellation)
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

    private sealed record Submission(IReadOnlyList<NewJob> Jobs, IdempotencyKey? Key = null) : IBatchItem
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
