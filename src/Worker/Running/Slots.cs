namespace QueueScale.Worker;

/// <summary>The places for concurrent runs. A slot that finishes takes the next claimed job by itself.</summary>
internal sealed class Slots(int size, Runner runner)
{
    public readonly int Size = size;

    private readonly Lock turn = new();
    private readonly Queue<LiveRun> claimed = new();
    private readonly Dictionary<string, int> busy = [];
    private int free = size;
    private long lastMoved = TimeProvider.System.GetTimestamp(); // when a run last began or ended, by the monotonic clock

    /// <summary>Slots without a run.</summary>
    public int Free
    {
        get
        {
            lock (turn)
            {
                return free;
            }
        }
    }

    /// <summary>Slots with a run, by queue. One whose handler does not return keeps its slot, whatever has become of its job.</summary>
    public Dictionary<string, int> Busy
    {
        get
        {
            lock (turn)
            {
                return new(busy);
            }
        }
    }

    /// <summary>Jobs that were claimed and have no slot yet.</summary>
    public int Waiting
    {
        get
        {
            lock (turn)
            {
                return claimed.Count;
            }
        }
    }

    /// <summary>Whether every slot has been busy, without one run ending, for longer than <paramref name="limit"/>.</summary>
    public bool AreStuckFor(TimeSpan limit)
    {
        lock (turn)
        {
            return free == 0 && TimeProvider.System.GetElapsedTime(lastMoved) > limit;
        }
    }

    /// <summary>Called when a slot becomes free and nothing waits for it.</summary>
    public Action? Freed { get; set; }

    public void Add(IEnumerable<LiveRun> runs)
    {
        lock (turn)
        {
            foreach (var run in runs)
            {
                claimed.Enqueue(run);
            }

            while (free > 0 && claimed.TryDequeue(out var next))
            {
                free--;
                Count(next, 1);
                _ = Task.Run(() => WorkAsync(next));
            }
        }
    }

    /// <summary>Takes out the jobs that have waited for a slot longer than <paramref name="limit"/>.</summary>
    public IReadOnlyList<LiveRun> TakeWaiting(TimeSpan limit)
    {
        lock (turn)
        {
            var waited = new List<LiveRun>();
            while (claimed.TryPeek(out var run) && TimeProvider.System.GetElapsedTime(run.ClaimedAt) >= limit)
            {
                waited.Add(claimed.Dequeue());
            }

            return waited;
        }
    }

    private async Task WorkAsync(LiveRun? run)
    {
        while (run is not null)
        {
            await runner.RunAsync(run);
            lock (turn)
            {
                Count(run, -1);
                if (claimed.TryDequeue(out run))
                {
                    Count(run, 1);
                }
                else
                {
                    free++;
                }
            }
        }

        Freed?.Invoke();
    }

    private void Count(LiveRun run, int change)
    {
        lastMoved = TimeProvider.System.GetTimestamp();
        busy[run.Job.Queue] = busy.GetValueOrDefault(run.Job.Queue) + change;
    }
}
