using System.Data.Common;
using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>Why a run is to end early.</summary>
internal enum StopReason
{
    None,

    /// <summary>The worker drains.</summary>
    Draining,

    /// <summary>The job was cancelled.</summary>
    Cancelled,

    /// <summary>It ran longer than its timeout.</summary>
    TimedOut,

    /// <summary>The run is no longer this worker's own.</summary>
    Lost,
}

/// <summary>A run in this process.</summary>
internal sealed class LiveRun : JobRun, IDisposable
{
    /// <summary>A checkpoint's JSON is no longer than this, so that batches of them stay small.</summary>
    private const int MaxCheckpoint = 256 * 1024;

    private const int MaxMessage = 200;

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(0.5);

    private readonly ClaimedJob job;
    private readonly Checkpoints checkpoints;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock turn = new();
    private string? unsaved;
    private JobProgress? progress;
    private bool progressChanged;
    private bool inTransaction;
    private int seq;
    private long savedAt = TimeProvider.System.GetTimestamp();
    private StopReason reason;
    private Timer? timeout;
    private Timer? overdue;
    private int closed;

    public LiveRun(ClaimedJob job, Checkpoints checkpoints)
    {
        this.job = job;
        this.checkpoints = checkpoints;
        seq = job.CheckpointSeq;
        reason = job.CancelRequested ? StopReason.Cancelled : StopReason.None;
    }

    public override Guid JobId => job.Id;

    public string JobType => job.Type;

    public override int Epoch => job.Epoch;

    public override int Attempt => job.Attempts + 1;

    /// <summary>Fires when the run must end now.</summary>
    public CancellationToken Stop => stop.Token;

    /// <summary>Why it is to end early. The first reason stays, except that a lost run is lost whatever else it was.</summary>
    public StopReason Reason
    {
        get
        {
            lock (turn)
            {
                return reason;
            }
        }
    }

    /// <summary>Whether the handler was called.</summary>
    public bool Started { get; set; }

    /// <summary>The run's span; null while nobody listens, and until it has a slot.</summary>
    public RunSpan? Span { get; set; }

    /// <summary>What was claimed.</summary>
    public ClaimedJob Job => job;

    /// <summary>Whether it has saved a checkpoint.</summary>
    public bool HasSaved => Volatile.Read(ref seq) > job.CheckpointSeq;

    /// <summary>Called when the handler has not returned in time after <see cref="End"/>.</summary>
    public Action? Overdue { get; set; }

    /// <summary>Called when its end is recorded.</summary>
    public Action? Recorded { get; set; }

    /// <summary>When the run was claimed, by the monotonic clock.</summary>
    public long ClaimedAt { get; } = TimeProvider.System.GetTimestamp();

    /// <summary>Asks for a polite stop at the next checkpoint.</summary>
    public void AskToStop() => Give(StopReason.Draining);

    /// <summary>Ends the run now. A handler that has not returned a second later is left behind: its job goes on without it, and what it still writes is
    /// fenced.</summary>
    public void End(StopReason why)
    {
        Give(why);
        _ = stop.CancelAsync(); // not on this thread: handlers' callbacks may block
        lock (turn)
        {
            overdue ??= new Timer(_ => Overdue?.Invoke(), null, Grace, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Ends the run with its timeout, if it has one.</summary>
    public void StartTimeout()
    {
        if (job.Timeout is { } limit)
        {
            timeout = new Timer(_ => End(StopReason.TimedOut), null, limit, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Whether the caller is the one to record the end of the run; the answer is true once.</summary>
    public bool TryClose() => Interlocked.Exchange(ref closed, 1) == 0;

    /// <summary>Whether its end is being recorded.</summary>
    public bool IsClosed => Volatile.Read(ref closed) == 1;

    public override Task<string> TenantAsync() => checkpoints.TenantAsync(job.Id, stop.Token);

    public override T? Checkpoint<T>()
        where T : default
    {
        if (job.Checkpoint is not { } stored)
        {
            return default;
        }

        try
        {
            return JsonSerializer.Deserialize<T>(stored.Span, JobJson.Options);
        }
        catch (Exception error) when (error is JsonException or NotSupportedException)
        {
            throw new CheckpointUnreadable($"Checkpoint {job.CheckpointSeq} does not fit {typeof(T).Name}: {error.Message}", error);
        }
    }

    public override Task CheckpointAsync<T>(T state) => SaveAsync(ToJson(state));

    public override async Task<bool> CheckpointAsync<T>(T state, TimeSpan every)
    {
        var json = ToJson(state);
        if (Reason == StopReason.None && TimeProvider.System.GetElapsedTime(savedAt) < every)
        {
            unsaved = json;
            return false;
        }

        await SaveAsync(json);
        return true;
    }

    public override async Task CheckpointAsync<T>(T state, Func<DbTransaction, Task> effects)
    {
        ThrowIfLost();
        var json = ToJson(state);
        lock (turn)
        {
            inTransaction = true; // a progress write would wait for the transaction's row lock
        }

        try
        {
            Settle(await checkpoints.SaveWithAsync(effects, job.Id, job.Epoch, seq + 1, json, LatestProgress(), stop.Token), WorkerMetrics.Transactional);
        }
        finally
        {
            lock (turn)
            {
                inTransaction = false;
            }
        }
    }

    public override void Progress(long done, long? total = null, string? message = null)
    {
        var percent = total > 0 ? Math.Round(Math.Clamp(100.0 * done / total.Value, 0, 100), 1) : (double?)null;
        lock (turn)
        {
            progress = new JobProgress(done, total, percent, message is null ? null : StorableText.Of(message, MaxMessage));
            progressChanged = true;
        }
    }

    /// <summary>Saves the last state that a checkpoint with <c>every</c> left out, before the run is put back.</summary>
    public async Task SaveWhatIsLeftAsync()
    {
        if (unsaved is { } json && Reason != StopReason.Lost)
        {
            await checkpoints.SaveAsync(job.Id, job.Epoch, seq + 1, json, LatestProgress(), CancellationToken.None);
        }
    }

    /// <summary>The newest progress as JSON; null before there is any. Every write of the run carries it, so that none depends on an earlier one.</summary>
    public string? LatestProgress()
    {
        lock (turn)
        {
            progressChanged = false;
            return progress is null ? null : JsonSerializer.Serialize(progress, JobJson.Options);
        }
    }

    /// <summary>Writes the progress if it has changed since the last write.</summary>
    public async Task SaveProgressAsync()
    {
        string? json;
        lock (turn)
        {
            json = !progressChanged || inTransaction || reason == StopReason.Lost ? null : LatestProgress();
        }

        if (json is not null)
        {
            await checkpoints.SaveProgressAsync(job.Id, job.Epoch, seq, json);
        }
    }

    /// <summary>Ends its timers. The stop token lives on: a handler that was left behind may still look at it.</summary>
    public void Dispose()
    {
        timeout?.Dispose();
        overdue?.Dispose();
    }

    private async Task SaveAsync(string json)
    {
        ThrowIfLost();
        Settle(await checkpoints.SaveAsync(job.Id, job.Epoch, seq + 1, json, LatestProgress(), stop.Token), WorkerMetrics.Grouped);
    }

    private void Settle(CheckpointOutcome outcome, KeyValuePair<string, object?> kind)
    {
        switch (outcome)
        {
            case CheckpointOutcome.Lost:
                WorkerMetrics.LateWritesRefused.Add(1);
                End(StopReason.Lost);
                throw new RunStopped();
            case CheckpointOutcome.SavedAndCancelled:
                Give(StopReason.Cancelled);
                break;
        }

        WorkerMetrics.Checkpoints.Add(1, kind);
        Volatile.Write(ref seq, seq + 1);
        Span?.Checkpointed(seq, kind.Value);
        unsaved = null;
        savedAt = TimeProvider.System.GetTimestamp();
        if (Reason != StopReason.None)
        {
            throw new RunStopped();
        }
    }

    private void ThrowIfLost()
    {
        if (Reason == StopReason.Lost)
        {
            throw new RunStopped();
        }
    }

    private void Give(StopReason why)
    {
        lock (turn)
        {
            // A drain only asks; every other reason is a verdict and stays.
            if (reason is StopReason.None or StopReason.Draining || why == StopReason.Lost)
            {
                reason = why;
            }
        }
    }

    private static string ToJson<T>(T state)
    {
        var json = JsonSerializer.Serialize(state, JobJson.Options);
        return json.Length <= MaxCheckpoint
            ? json
            : throw new ArgumentException($"The checkpoint has {json.Length} characters; {MaxCheckpoint} are allowed. Save a position, and keep the data itself in a table.");
    }
}
