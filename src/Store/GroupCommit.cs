using System.Threading.Channels;

namespace QueueScale.Store;

/// <summary>An item of a batch.</summary>
public interface IBatchItem
{
    /// <summary>The job; a batch locks its jobs in the order of their ids.</summary>
    Guid Id { get; }

    /// <summary>About how many bytes it adds to the statement.</summary>
    int Bytes => 100;

    /// <summary>How many rows it adds to the statement.</summary>
    int Rows => 1;
}

/// <summary>How much may wait and go together, and for how long a batch is tried.</summary>
/// <param name="GiveUpAfter">Repeat a batch whose outcome is unknown for this long, then tell its callers so; null repeats until the end of the process.</param>
/// <param name="MaxWaiting">Items that may wait; more are refused.</param>
/// <param name="MaxWaitingBytes">Their bytes that may wait; more are refused.</param>
/// <param name="RefusesWhenBehind">Whether fewer may wait while PostgreSQL is behind: <see cref="WaitingRoom"/>.</param>
public sealed record GroupCommitLimits(TimeSpan? GiveUpAfter = null, int MaxWaiting = 8192, long MaxWaitingBytes = long.MaxValue, bool RefusesWhenBehind = false)
{
    public const int MaxRows = 500;
    public const int MaxBytes = 1 << 20;
}

/// <summary>Saves the items of many callers with one statement: whatever has gathered while the last batch was under way goes as the next one. Each
/// caller awaits its own answer.</summary>
/// <typeparam name="TItem">What is saved.</typeparam>
/// <typeparam name="TAnswer">What its caller is told.</typeparam>
public sealed class GroupCommit<TItem, TAnswer> : IAsyncDisposable
    where TItem : class, IBatchItem
{
    private const int ConflictTries = 3;

    private readonly KeyValuePair<string, object?> label;
    private readonly Func<IReadOnlyList<TItem>, CancellationToken, Task<TAnswer[]>> save;
    private readonly GroupCommitLimits limits;
    private readonly Channel<Waiting> pending;
    private readonly WaitingRoom room = new();
    private int waitingRows;
    private long waitingBytes;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task loop;

    /// <param name="name">What the batches are called in metrics.</param>
    /// <param name="save">One fenced statement over all items, which are in id order; it answers in the same order, and can be repeated.</param>
    /// <param name="limits">How much may wait, and how long.</param>
    public GroupCommit(string name, Func<IReadOnlyList<TItem>, CancellationToken, Task<TAnswer[]>> save, GroupCommitLimits limits)
    {
        label = BatchMetrics.Label(name);
        this.save = save;
        this.limits = limits;
        pending = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(limits.MaxWaiting) { SingleReader = true });
        loop = Task.Run(LoopAsync);
    }

    /// <summary>Hands one item over and waits for its answer.</summary>
    /// <param name="item">What to save.</param>
    /// <param name="gone">Ends the wait. An item that no batch has taken yet is then dropped; otherwise its outcome is unknown to the caller.</param>
    /// <exception cref="StoreOverloaded">Too many wait already; nothing was stored.</exception>
    /// <exception cref="DataRefused">PostgreSQL refuses this item.</exception>
    /// <exception cref="StoreUnavailable">The outcome is unknown.</exception>
    public Task<TAnswer> SaveAsync(TItem item, CancellationToken gone = default)
    {
        if (limits.RefusesWhenBehind && Volatile.Read(ref waitingRows) >= room.Rows)
        {
            throw new StoreOverloaded($"PostgreSQL is behind, and {room.Rows} rows wait to be written already.");
        }

        var waiting = new Waiting(item, gone);
        Interlocked.Add(ref waitingRows, item.Rows);
        if (Interlocked.Add(ref waitingBytes, item.Bytes) > limits.MaxWaitingBytes || !pending.Writer.TryWrite(waiting))
        {
            Interlocked.Add(ref waitingRows, -item.Rows);
            Interlocked.Add(ref waitingBytes, -item.Bytes);
            throw stopping.IsCancellationRequested
                ? new StoreUnavailable("The process is stopping.")
                : new StoreOverloaded($"{limits.MaxWaiting} items or {limits.MaxWaitingBytes} bytes wait to be written already.");
        }

        return gone.CanBeCanceled ? waiting.Task.WaitAsync(gone) : waiting.Task;
    }

    /// <summary>Takes nothing more in, and answers what waits, trying what is left once more where PostgreSQL is away.</summary>
    public async ValueTask DisposeAsync()
    {
        pending.Writer.TryComplete();
        await stopping.CancelAsync();
        await loop;
    }

    private async Task LoopAsync()
    {
        var batch = new List<Waiting>();
        while (await pending.Reader.WaitToReadAsync())
        {
            var (rows, bytes) = (0, 0);
            while (rows < GroupCommitLimits.MaxRows && bytes < GroupCommitLimits.MaxBytes && pending.Reader.TryRead(out var next))
            {
                Interlocked.Add(ref waitingRows, -next.Item.Rows);
                Interlocked.Add(ref waitingBytes, -next.Item.Bytes);
                if (next.Gone.IsCancellationRequested)
                {
                    next.TrySetCanceled(next.Gone);
                    continue;
                }

                batch.Add(next);
                rows += next.Item.Rows;
                bytes += next.Item.Bytes;
            }

            if (batch.Count > 0)
            {
                BatchMetrics.Size.Record(rows, label);
                BatchMetrics.Wait.Record(TimeProvider.System.GetElapsedTime(batch[0].HandedOver).TotalSeconds, label);
            }

            batch.Sort(static (a, b) => a.Item.Id.CompareTo(b.Item.Id));
            var begun = TimeProvider.System.GetTimestamp();
            await SaveAndAnswerAsync(batch);
            room.Wrote(rows, TimeProvider.System.GetElapsedTime(begun));
            batch.Clear();
        }
    }

    private async Task SaveAndAnswerAsync(List<Waiting> batch)
    {
        if (batch.Count == 0)
        {
            return;
        }

        var items = batch.ConvertAll(w => w.Item);
        var begun = TimeProvider.System.GetTimestamp();
        for (var tries = 1; ; tries++)
        {
            try
            {
                var answers = await save(items, CancellationToken.None);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].TrySetResult(answers[i]);
                }

                return;
            }
            catch (Npgsql.PostgresException error) when (BatchErrors.IsBadData(error))
            {
                if (batch.Count == 1)
                {
                    batch[0].TrySetException(new DataRefused(error));
                    return;
                }

                // Only the bad row's caller may see the error: halve until it stands alone.
                await SaveAndAnswerAsync(batch[..(batch.Count / 2)]);
                await SaveAndAnswerAsync(batch[(batch.Count / 2)..]);
                return;
            }
            catch (Exception error) when (BatchErrors.IsConflict(error) && tries <= ConflictTries)
            {
                // Nothing was done; the statement is fenced: at once again.
            }
            catch (Exception error) when (BatchErrors.IsPassing(error) && MayRepeat(begun))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(50 * tries, 500)), stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception error)
            {
                foreach (var waiting in batch)
                {
                    waiting.TrySetException(new StoreUnavailable("PostgreSQL did not confirm the write; its outcome is unknown.", error));
                }

                return;
            }
        }
    }

    private bool MayRepeat(long begun) =>
        !stopping.IsCancellationRequested && (limits.GiveUpAfter is not { } limit || TimeProvider.System.GetElapsedTime(begun) < limit);

    private sealed class Waiting(TItem item, CancellationToken gone) : TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TItem Item { get; } = item;

        public CancellationToken Gone { get; } = gone;

        public long HandedOver { get; } = TimeProvider.System.GetTimestamp();
    }
}
