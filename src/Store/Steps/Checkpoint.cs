using System.Data;
using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace QueueScale.Store;

/// <summary>What became of a checkpoint.</summary>
public enum CheckpointOutcome
{
    /// <summary>Committed.</summary>
    Saved,

    /// <summary>Committed, and the job is to be cancelled: the run ends here.</summary>
    SavedAndCancelled,

    /// <summary>The run is no longer the job's own; nothing was changed.</summary>
    Lost,
}

/// <summary>Step 3: what a run has reached is saved, fenced by its epoch; its number only rises.</summary>
public class Checkpoints : IAsyncDisposable
{
    private const string Statement = """
        update jobs j set checkpoint = d.checkpoint, checkpoint_seq = d.seq, checkpointed_at = clock_timestamp(), suspect = 0, progress = coalesce(d.progress, j.progress)
        from unnest($1, $2, $3, $4, $5) as d(id, epoch, seq, checkpoint, progress)
        where j.id = d.id and j.epoch = d.epoch and j.state + 0 = 2 and j.checkpoint_seq < d.seq
        returning j.id, j.cancel_requested
        """;

    private const string ReadBack = """
        select j.id, j.cancel_requested from unnest($1, $2, $3) as d(id, epoch, seq) join jobs j on j.id = d.id
        where j.epoch = d.epoch and j.state + 0 = 2 and j.checkpoint_seq = d.seq
        """;

    private const string ProgressStatement = """
        update jobs j set progress = d.progress from unnest($1, $2, $3, $4) as d(id, epoch, seq, progress)
        where j.id = d.id and j.epoch = d.epoch and j.state + 0 = 2 and j.checkpoint_seq = d.seq
        """;

    private readonly Database database;
    private readonly TimeSpan idleLimit;
    private readonly GroupCommit<Checkpoint, CheckpointOutcome> batches;
    private readonly GroupCommit<Checkpoint, bool> progress;

    /// <param name="database">PostgreSQL.</param>
    /// <param name="lease">A transaction that idles this long, because its worker is frozen, is ended by the server.</param>
    public Checkpoints(Database database, TimeSpan lease)
    {
        this.database = database;
        idleLimit = lease;
        batches = new("checkpoint", SaveAsync, new GroupCommitLimits());
        progress = new("progress", SaveProgressAsync, new GroupCommitLimits(GiveUpAfter: TimeSpan.FromSeconds(1)));
    }

    /// <summary>Saves a checkpoint together with those of other runs.</summary>
    /// <param name="job">The job.</param>
    /// <param name="epoch">The run.</param>
    /// <param name="seq">The checkpoint's number, one more than the last saved.</param>
    /// <param name="state">The checkpoint as JSON.</param>
    /// <param name="progressNow">The run's newest progress as JSON; null leaves what is there.</param>
    /// <param name="gone">Ends the wait, not the write.</param>
    public virtual Task<CheckpointOutcome> SaveAsync(Guid job, int epoch, int seq, string state, string? progressNow, CancellationToken gone) =>
        batches.SaveAsync(new Checkpoint(job, epoch, seq, state, progressNow), gone);

    /// <summary>Saves progress between checkpoints. Nothing is promised, but it never replaces what a later checkpoint than <paramref name="seq"/> carried.</summary>
    public Task SaveProgressAsync(Guid job, int epoch, int seq, string progressNow) => progress.SaveAsync(new Checkpoint(job, epoch, seq, "", progressNow));

    /// <summary>Commits the handler's SQL and the checkpoint together, or neither.</summary>
    /// <returns>Lost also means rolled back.</returns>
    /// <exception cref="StoreUnavailable">PostgreSQL went away: whether it was committed is unknown. Other exceptions are those of <paramref name="effects"/>.</exception>
    public async Task<CheckpointOutcome> SaveWithAsync(
        Func<DbTransaction, Task> effects, Guid job, int epoch, int seq, string state, string? progressNow, CancellationToken cancellation)
    {
        var handlers = false;
        try
        {
            await using var connection = await database.General.OpenConnectionAsync(cancellation);
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await using (var limit = new NpgsqlCommand($"set local idle_in_transaction_session_timeout = {(int)idleLimit.TotalMilliseconds}", connection))
            {
                await limit.ExecuteNonQueryAsync(cancellation);
            }

            try
            {
                await effects(transaction);
            }
            catch (Exception) when (connection.FullState == ConnectionState.Open)
            {
                handlers = true; // PostgreSQL is there: whatever it is, it is the handler's own
                throw;
            }

            // The fence comes last, so that the job's row is locked for one round trip only and nobody waits for a handler.
            await using var fence = new NpgsqlCommand(
                """
                update jobs set checkpoint = $4, checkpoint_seq = $3, checkpointed_at = clock_timestamp(), suspect = 0, progress = coalesce($5, progress)
                where id = $1 and epoch = $2 and state = 2 and checkpoint_seq < $3
                returning cancel_requested
                """, connection);
            fence.With(job).With(epoch).With(seq).With(state, NpgsqlDbType.Jsonb).With(progressNow, NpgsqlDbType.Jsonb);
            await fence.PrepareAsync(cancellation);
            if (await fence.ExecuteScalarAsync(cancellation) is not bool cancelRequested)
            {
                await transaction.RollbackAsync(CancellationToken.None);
                return CheckpointOutcome.Lost;
            }

            await transaction.CommitAsync(CancellationToken.None);
            return cancelRequested ? CheckpointOutcome.SavedAndCancelled : CheckpointOutcome.Saved;
        }
        catch (Exception error) when (!handlers && BatchErrors.IsAway(error))
        {
            throw new StoreUnavailable("PostgreSQL did not confirm the checkpoint; its outcome is unknown.", error);
        }
    }

    /// <summary>The name of the tenant whose job it is.</summary>
    /// <exception cref="StoreUnavailable">PostgreSQL does not answer.</exception>
    public async Task<string> TenantAsync(Guid job, CancellationToken cancellation)
    {
        try
        {
            await using var command = database.General.CreateCommand("select t.name from jobs j join tenants t on t.id = j.tenant where j.id = $1").With(job);
            return (string?)await command.ExecuteScalarAsync(cancellation) ?? throw new InvalidOperationException($"Job {job} is not there any more.");
        }
        catch (Exception error) when (BatchErrors.IsAway(error))
        {
            throw new StoreUnavailable("PostgreSQL did not say whose job it is.", error);
        }
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await batches.DisposeAsync();
        await progress.DisposeAsync();
    }

    private async Task<CheckpointOutcome[]> SaveAsync(IReadOnlyList<Checkpoint> items, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        var saved = new Dictionary<Guid, bool>(items.Count);
        await using (var command = new NpgsqlCommand(Statement, connection))
        {
            command.WithColumn(items.Select(c => c.Id).ToArray(), NpgsqlDbType.Uuid)
                .WithColumn(items.Select(c => c.Epoch).ToArray(), NpgsqlDbType.Integer)
                .WithColumn(items.Select(c => c.Seq).ToArray(), NpgsqlDbType.Integer)
                .WithColumn(items.Select(c => c.State).ToArray(), NpgsqlDbType.Jsonb)
                .WithColumn(items.Select(c => c.Progress).ToArray(), NpgsqlDbType.Jsonb);
            await ReadAsync(command);
        }

        if (saved.Count < items.Count)
        {
            // Lost, or committed by an earlier try whose answer did not arrive.
            var missing = items.Where(c => !saved.ContainsKey(c.Id)).ToArray();
            await using var readBack = new NpgsqlCommand(ReadBack, connection)
                .WithColumn(Array.ConvertAll(missing, c => c.Id), NpgsqlDbType.Uuid)
                .WithColumn(Array.ConvertAll(missing, c => c.Epoch), NpgsqlDbType.Integer)
                .WithColumn(Array.ConvertAll(missing, c => c.Seq), NpgsqlDbType.Integer);
            await ReadAsync(readBack);
        }

        return [.. items.Select(c => saved.TryGetValue(c.Id, out var cancelled)
            ? cancelled ? CheckpointOutcome.SavedAndCancelled : CheckpointOutcome.Saved
            : CheckpointOutcome.Lost)];

        async Task ReadAsync(NpgsqlCommand command)
        {
            await using var reader = await command.ReadPreparedAsync(cancellation);
            while (await reader.ReadAsync(cancellation))
            {
                saved[reader.GetGuid(0)] = reader.GetBoolean(1);
            }
        }
    }

    private async Task<bool[]> SaveProgressAsync(IReadOnlyList<Checkpoint> items, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(ProgressStatement, connection)
            .WithColumn(items.Select(c => c.Id).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(items.Select(c => c.Epoch).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(items.Select(c => c.Seq).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(items.Select(c => c.Progress).ToArray(), NpgsqlDbType.Jsonb);
        await command.PrepareAsync(cancellation);
        await command.ExecuteNonQueryAsync(cancellation);
        return new bool[items.Count];
    }

    private sealed record Checkpoint(Guid Id, int Epoch, int Seq, string State, string? Progress) : IBatchItem
    {
        public int Bytes => 64 + State.Length + (Progress?.Length ?? 0);
    }
}
