using System.Data.Common;
using System.Text;
using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Testing;

/// <summary>One run of a job under the harness. Checkpoints are kept in memory as JSON, as a worker would store them.</summary>
internal sealed class HarnessRun(HarnessJob job, string tenant, int epoch, int attempt, DbDataSource? database, Func<TimeSpan, bool> due, CancellationTokenSource stop)
    : JobRun
{
    private const int LargestState = 256 * 1024;
    private const int LongestMessage = 200;

    private readonly TaskCompletionSource cut = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int saving;

    public override Guid JobId => job.Id;

    public override int Epoch => epoch;

    public override int Attempt => attempt;

    public override Task<string> TenantAsync() => Task.FromResult(tenant);

    /// <summary>How this run was interrupted; null while it was not.</summary>
    public InterruptionKind? Interrupted { get; private set; }

    /// <summary>The number of the call at which it was interrupted.</summary>
    public int InterruptedAt { get; private set; }

    /// <summary>Completes when it is interrupted.</summary>
    public Task Interruption => cut.Task;

    /// <summary>Whether a call of <c>CheckpointAsync</c> is under way.</summary>
    public bool IsSaving => Volatile.Read(ref saving) != 0;

    public override T? Checkpoint<T>() where T : default
    {
        if (job.Checkpoint is not { } json) return default;
        try
        {
            return JsonSerializer.Deserialize<T>(json, JobJson.Options);
        }
        catch (Exception error) // whatever a converter or a type without one throws
        {
            throw new CheckpointUnreadable($"The checkpoint does not fit {typeof(T)}: {error.Message} It is: {json}", error);
        }
    }

    public override Task CheckpointAsync<T>(T state) => SafePointAsync(state, every: null, effects: null);

    public override Task<bool> CheckpointAsync<T>(T state, TimeSpan every) => SafePointAsync(state, every, effects: null);

    public override Task CheckpointAsync<T>(T state, Func<DbTransaction, Task> effects)
    {
        ArgumentNullException.ThrowIfNull(effects);
        return SafePointAsync(state, every: null, effects);
    }

    public override void Progress(long done, long? total = null, string? message = null)
    {
        var percent = total is > 0 ? Math.Clamp(100.0 * done / total.Value, 0, 100) : (double?)null;
        var line = message?.Length > LongestMessage ? message[..LongestMessage] : message;
        lock (job.Progress) job.Progress.Add(new JobProgress(done, total, percent, line));
    }

    private async Task<bool> SafePointAsync<T>(T state, TimeSpan? every, Func<DbTransaction, Task>? effects)
    {
        if (Interlocked.Exchange(ref saving, 1) != 0)
        {
            throw new JobHarnessException(
                "CheckpointAsync was called while another call was under way. A job has one state at a time: await each call before the next.");
        }

        try
        {
            RefuseAfterTheEnd();
            var json = Stored(state);
            var interruption = job.NextCall();
            var save = interruption != InterruptionKind.KillBeforeSave && (every is null || interruption == InterruptionKind.Stop || due(every.Value));
            if (effects is not null) await CommitAsync(effects, commit: save);
            if (save) job.Save(json, transactional: effects is not null);
            if (interruption is { } kind) End(kind);
            return save;
        }
        finally
        {
            Volatile.Write(ref saving, 0);
        }
    }

    private async Task CommitAsync(Func<DbTransaction, Task> effects, bool commit)
    {
        if (database is null)
        {
            throw new JobHarnessException("The job saves a transactional checkpoint, so it needs a database. "
                + "Give the harness one: JobHarness.For(() => new MyJob(), database, reset).");
        }

        await using var connection = await database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await effects(transaction);
        if (commit) await transaction.CommitAsync();
        else await transaction.RollbackAsync();
    }

    private void End(InterruptionKind kind)
    {
        (Interrupted, InterruptedAt) = (kind, job.Calls);
        // What the handler started beside itself dies with a killed process; a polite stop leaves it to the handler.
        if (kind != InterruptionKind.Stop) _ = stop.CancelAsync();
        cut.TrySetResult();
        RefuseAfterTheEnd();
    }

    private void RefuseAfterTheEnd()
    {
        switch (Interrupted)
        {
            case null: return;
            case InterruptionKind.Stop: throw new RunStopped();
            default: throw new RunKilled();
        }
    }

    private static string Stored<T>(T state)
    {
        var json = StoredJson.Write(state, "checkpoint");
        var bytes = Encoding.UTF8.GetByteCount(json);
        return bytes <= LargestState ? json : throw new JobHarnessException(
            $"The checkpoint takes {bytes:N0} bytes as JSON and may take {LargestState:N0}. Keep where the job stands in it, and the data elsewhere.");
    }

    /// <summary>Ends a killed run. A handler cannot name this type, and whatever it does after it counts for nothing.</summary>
    private sealed class RunKilled() : Exception("The harness killed this run. In a worker no line of the handler would run after this one.");
}
