namespace QueueScale.Store;

/// <summary>How many rows may wait to be written. Any number, so that bursts and pauses cost time only, until PostgreSQL has been behind for a second; from then on
/// as many as it writes in a moment, so that what is taken in is answered soon and the rest is refused at once; until so few wait that all is well.</summary>
public sealed class WaitingRoom
{
    /// <summary>A batch that takes so long for many rows says that PostgreSQL writes no faster. Few rows say nothing: one row takes as long as the disk needs, or as a pause lasts.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(200);

    private const int Many = 64;

    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    /// <summary>Fewer are never let in: a slow disk writes them in one go.</summary>
    private const int Least = 32;

    private TimeSpan behind;
    private volatile int rows = int.MaxValue;

    /// <summary>The rows that may wait now; any number while nothing is behind.</summary>
    public int Rows => rows;

    /// <summary>A batch was written.</summary>
    public void Wrote(int batch, TimeSpan took)
    {
        if (rows < int.MaxValue && batch < rows / 2)
        {
            (rows, behind) = (int.MaxValue, TimeSpan.Zero);
            return;
        }

        behind = batch >= Many && took >= Long ? behind + took : TimeSpan.Zero;
        if (rows < int.MaxValue || behind >= Behind)
        {
            rows = Math.Clamp((int)(batch * (Moment / took)), Least, int.MaxValue);
        }
    }
}
