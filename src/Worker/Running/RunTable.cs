using System.Collections.Concurrent;

namespace QueueScale.Worker;

/// <summary>The runs of this process, from their claim until their end is recorded.</summary>
internal sealed class RunTable
{
    private readonly ConcurrentDictionary<(Guid Job, int Epoch), LiveRun> runs = new();
    private TaskCompletionSource? emptied;

    public ICollection<LiveRun> All => runs.Values;

    public int Count => runs.Count;

    /// <returns>False when this very run is here already.</returns>
    public bool TryAdd(LiveRun run) => runs.TryAdd((run.JobId, run.Epoch), run);

    public void Remove(LiveRun run)
    {
        runs.TryRemove((run.JobId, run.Epoch), out _);
        if (runs.IsEmpty)
        {
            Volatile.Read(ref emptied)?.TrySetResult();
        }
    }

    public bool Contains(Guid job, int epoch) => runs.ContainsKey((job, epoch));

    public LiveRun? Find(Guid job, int epoch) => runs.GetValueOrDefault((job, epoch));

    /// <summary>Ends when no run is left. Nothing may be added any more.</summary>
    public Task WaitUntilEmptyAsync()
    {
        var wait = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref emptied, wait);
        if (runs.IsEmpty)
        {
            wait.TrySetResult();
        }

        return wait.Task;
    }
}
