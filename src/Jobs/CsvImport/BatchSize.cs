namespace QueueScale.Jobs;

/// <summary>How many rows go into one transaction: few at first, so that a small file has several checkpoints too, then as many as take about
/// <see cref="Target"/>, so that a worker that drains waits no longer than that for the next.</summary>
internal sealed class BatchSize
{
    private const int First = 5_000;
    private const int Most = 200_000;
    private static readonly TimeSpan Target = TimeSpan.FromMilliseconds(150);

    private int rows = First; // read while the next batch is begun on another thread

    public int Rows => Volatile.Read(ref rows);

    /// <summary>Learns from a transaction. The size at most doubles, and never goes below the first: a slow commit does not get faster with fewer
    /// rows.</summary>
    public void Took(int taken, TimeSpan elapsed)
    {
        var fitting = taken * (Target / Max(elapsed, TimeSpan.FromMilliseconds(1)));
        var most = taken < Rows ? Rows : Math.Min(Most, 2.0 * taken); // fewer rows than asked for say little about more
        Volatile.Write(ref rows, (int)Math.Clamp(fitting, First, most));
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
