using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>What became of a submission.</summary>
/// <param name="Ids">Its jobs, in its order; where a job's unique key was taken, the unfinished job that has it.</param>
/// <param name="New">What PostgreSQL made of those that are new.</param>
/// <param name="IsReplay">Whether an earlier submission with the same idempotency key has made them.</param>
public sealed record SubmittedJobs(Guid[] Ids, IReadOnlyDictionary<Guid, Submitted> New, bool IsReplay);

/// <summary>Step 1 for jobs with a unique key: of a tenant at most one that is unfinished has it. Each submission is a transaction of its own, because it may have to wait for
/// another one with the same key, and nobody else should.</summary>
public sealed class UniqueSubmissions(Database database, Action<IReadOnlyList<QueuedJob>> wake, TimeSpan deadline) : IDisposable
{
    /// <summary>So many are under way at once; the pool has to keep connections for everybody else's batches.</summary>
    private const int AtOnce = 4;

    /// <summary>So many wait for one of these; more are refused at once.</summary>
    private const int MostWaiting = 64;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(50);

    /// <summary>In the order of the keys, so that two submissions with the same ones wait for each other and do not lock each other out.</summary>
    private const string Insert = $"""
        with j as (
          insert into jobs ({Submissions.Into}, unique_key)
          select {Submissions.Values}, n.unique_key
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as n({Submissions.Columns}, unique_key)
          order by n.unique_key, n.id
          on conflict do nothing
          returning id, type, queue, lane, state, at, created_at, run_at)
        {Submissions.Answer}
        """;

    private const string Holders = "select j.unique_key, j.id from jobs j where j.tenant = $1 and j.unique_key = any($2) and j.state < 5";

    private readonly SemaphoreSlim places = new(AtOnce);
    private int inside;

    /// <summary>Stores all of the jobs or none, but for those whose key an unfinished job has: that one takes their place.</summary>
    /// <param name="jobs">Jobs of one tenant.</param>
    /// <param name="key">Its submissions make jobs once; null where it has none.</param>
    /// <exception cref="IdempotencyKeyReused">The idempotency key was used for something else; nothing was stored.</exception>
    /// <exception cref="StoreOverloaded">Too many are under way; nothing was stored.</exception>
    /// <exception cref="DataRefused">PostgreSQL refuses the data; nothing was stored.</exception>
    /// <exception cref="StoreUnavailable">PostgreSQL did not confirm in time; the jobs may or may not be there. The same submission again says so.</exception>
    public async Task<SubmittedJobs> SubmitAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey? key)
    {
        if (Interlocked.Increment(ref inside) > AtOnce + MostWaiting || !await places.WaitAsync(deadline))
        {
            Interlocked.Decrement(ref inside);
            throw new StoreOverloaded($"{AtOnce} submissions with unique keys are under way already, and others wait.");
        }

        using var gone = new CancellationTokenSource(jobs.Count <= Submissions.SharedBatch ? deadline : 10 * deadline);
        try
        {
            return await UntilStoredAsync(jobs, key, gone.Token);
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
            places.Release();
            Interlocked.Decrement(ref inside);
        }
    }

    /// <summary>How many of these unique keys unfinished jobs have.</summary>
    public async Task<int> TakenAsync(int tenant, string[] keys, CancellationToken cancellation)
    {
        await using var connection = await database.General.OpenConnectionAsync(cancellation);
        return (await HoldersAsync(tenant, keys, connection, cancellation)).Count;
    }

    public void Dispose() => places.Dispose();

    /// <summary>The same ids each time, so that a try whose outcome is unknown may be repeated.</summary>
    private async Task<SubmittedJobs> UntilStoredAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey? key, CancellationToken gone)
    {
        while (true)
        {
            try
            {
                return await StoreAsync(jobs, key, gone);
            }
            catch (Exception error) when (BatchErrors.IsPassing(error) && !gone.IsCancellationRequested)
            {
                await Task.Delay(RetryPause, gone);
            }
        }
    }

    private async Task<SubmittedJobs> StoreAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey? key, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await using (var leftAlone = new NpgsqlCommand("set local idle_in_transaction_session_timeout = '2 s'", connection)) // a process that is frozen here must not keep the keys
        {
            await leftAlone.ExecuteNonQueryAsync(cancellation);
        }

        var (stored, queued) = (new Dictionary<Guid, Submitted>(jobs.Count), new List<QueuedJob>(jobs.Count));
        var ids = await StoreAsync(jobs, stored, queued, connection, cancellation);
        if (key is not null && !await TakeAsync(key, jobs[0].Tenant, ids, connection, cancellation))
        {
            await transaction.RollbackAsync(cancellation);
            return await EarlierAsync(jobs, key, connection, cancellation);
        }

        await transaction.CommitAsync(cancellation);
        if (queued.Count > 0)
        {
            wake(queued);
        }

        return new SubmittedJobs(ids, stored, IsReplay: false);
    }

    /// <returns>The ids of the jobs, or of those that have their keys.</returns>
    private static async Task<Guid[]> StoreAsync(IReadOnlyList<NewJob> jobs, Dictionary<Guid, Submitted> stored, List<QueuedJob> queued, NpgsqlConnection connection, CancellationToken cancellation)
    {
        var places = jobs.ToDictionary(job => job.Id, job => job.Id);
        for (var open = jobs.ToArray(); open.Length > 0; open = [.. open.Where(job => places[job.Id] == job.Id && !stored.ContainsKey(job.Id))])
        {
            await using (var insert = Submissions.WithJobs(new NpgsqlCommand(Insert, connection), open).WithColumn(Array.ConvertAll(open, job => job.UniqueKey), NpgsqlDbType.Text))
            {
                await Submissions.ReadAsync(insert, stored, queued, cancellation);
            }

            var left = open.Where(job => !stored.ContainsKey(job.Id)).ToArray();
            if (left.Length == 0)
            {
                break;
            }

            await Submissions.ReadBackAsync(left.Select(job => job.Id), stored, queued, connection, cancellation); // an earlier, unanswered try of this
            var holders = await HoldersAsync(left[0].Tenant, [.. left.Select(job => job.UniqueKey).OfType<string>().Distinct()], connection, cancellation);
            foreach (var job in left)
            {
                if (!stored.ContainsKey(job.Id) && job.UniqueKey is { } taken && holders.TryGetValue(taken, out var holder))
                {
                    places[job.Id] = holder;
                }
            }

            // What has no place now met a job that has ended since: once more.
        }

        return [.. jobs.Select(job => places[job.Id])];
    }

    private static async Task<Dictionary<string, Guid>> HoldersAsync(int tenant, string[] keys, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(Holders, connection)
            .With(tenant).WithColumn(keys, NpgsqlDbType.Text);
        await using var reader = await command.ReadPreparedAsync(cancellation);
        var holders = new Dictionary<string, Guid>();
        while (await reader.ReadAsync(cancellation))
        {
            holders.Add(reader.GetString(0), reader.GetGuid(1));
        }

        return holders;
    }

    /// <returns>False: it was used before.</returns>
    private static async Task<bool> TakeAsync(IdempotencyKey key, int tenant, Guid[] ids, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand("insert into idempotency_keys (tenant, key, fingerprint, jobs) values ($1, $2, $3, $4) on conflict do nothing", connection)
            .With(tenant).With(key.Key).With(key.Fingerprint).WithColumn(ids, NpgsqlDbType.Uuid);
        await command.PrepareAsync(cancellation);
        return await command.ExecuteNonQueryAsync(cancellation) == 1;
    }

    /// <summary>What an earlier submission with the same idempotency key has made.</summary>
    private async Task<SubmittedJobs> EarlierAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey key, NpgsqlConnection connection, CancellationToken cancellation)
    {
        Guid[] ids;
        await using (var command = new NpgsqlCommand("select fingerprint, jobs from idempotency_keys where tenant = $1 and key = $2", connection).With(jobs[0].Tenant).With(key.Key))
        {
            await using var reader = await command.ReadPreparedAsync(cancellation);
            if (!await reader.ReadAsync(cancellation))
            {
                throw new StoreUnavailable("The idempotency key has expired in this moment.");
            }

            if (!reader.GetFieldValue<byte[]>(0).AsSpan().SequenceEqual(key.Fingerprint))
            {
                throw new IdempotencyKeyReused(key.Key);
            }

            ids = reader.GetFieldValue<Guid[]>(1);
        }

        var own = jobs.Select(job => job.Id).Intersect(ids).ToArray();
        var (stored, queued) = (new Dictionary<Guid, Submitted>(), new List<QueuedJob>());
        if (own.Length > 0) // an earlier, unanswered try of this
        {
            await Submissions.ReadBackAsync(own, stored, queued, connection, cancellation);
            wake(queued);
        }

        return new SubmittedJobs(ids, stored, IsReplay: own.Length == 0);
    }
}
