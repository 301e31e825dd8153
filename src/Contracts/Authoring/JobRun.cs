using System.Data.Common;

namespace QueueScale.Contracts;

/// <summary>One run of a job: one claim to its end. What a handler sees of QueueScale.</summary>
public abstract class JobRun
{
    /// <summary>The job.</summary>
    public abstract Guid JobId { get; }

    /// <summary>The number of this run, 1 for the first. Every write of the run is fenced by it.</summary>
    public abstract int Epoch { get; }

    /// <summary>The number of this attempt, 1 for the first. Interrupted and crashed runs go on within the same attempt.</summary>
    public abstract int Attempt { get; }

    /// <summary>Whose job it is: the name of the tenant whose key submitted it. Asks PostgreSQL, so ask once a run.</summary>
    public abstract Task<string> TenantAsync();

    /// <summary>The last saved checkpoint, or null where none was saved yet.</summary>
    /// <exception cref="CheckpointUnreadable">The stored checkpoint does not fit <typeparamref name="T"/>. Left alone, the run fails with
    /// <c>checkpoint_unreadable</c>; it never starts from zero silently.</exception>
    public abstract T? Checkpoint<T>();

    /// <summary>The safe point: when it returns, <paramref name="state"/> is committed and every later run begins from it.</summary>
    /// <param name="state">What the next run needs to go on; stored as JSON, at most 256 KB.</param>
    /// <exception cref="RunStopped">Saved, and the run ends here: the worker drains or the job was cancelled. Let it pass.</exception>
    public abstract Task CheckpointAsync<T>(T state);

    /// <summary>Commits <paramref name="state"/> only when <paramref name="every"/> has passed since the last save, or when the run is asked to stop.</summary>
    /// <returns>Whether it saved. What it did not save is not promised, although the last state given is saved when the run is interrupted in an orderly way.</returns>
    /// <exception cref="RunStopped">Saved, and the run ends here.</exception>
    public abstract Task<bool> CheckpointAsync<T>(T state, TimeSpan every);

    /// <summary>The transactional checkpoint: the SQL of <paramref name="effects"/> and <paramref name="state"/> commit together or not at all, so that
    /// the effect happens exactly once, also under kill -9.</summary>
    /// <param name="state">What the next run needs to go on; stored as JSON, at most 256 KB.</param>
    /// <param name="effects">SQL on tables in QueueScale's own database, within the transaction it is given. It must neither commit nor wait for
    /// anything but the database: the session is ended after one lease idle.</param>
    /// <exception cref="RunStopped">Saved, and the run ends here; or nothing was saved because the run was lost.</exception>
    public abstract Task CheckpointAsync<T>(T state, Func<DbTransaction, Task> effects);

    /// <summary>Tells watchers how far the run is. Cheap: at most one write a second, the last call wins, nothing is promised.</summary>
    /// <param name="done">Units done, in whatever unit the job counts.</param>
    /// <param name="total">Units in all, where known.</param>
    /// <param name="message">A short line for people, cut at 200 characters.</param>
    public abstract void Progress(long done, long? total = null, string? message = null);
}
