namespace QueueScale.Store;

/// <summary>How many rows may wait to be written. Any number, so that bursts and pauses cost time only, until PostgreSQL has been behind for a second; from then on
/// as many as it writes in a moment, so that what is taken in is answered soon and the rest is refused at once; until so few wait that all is well, or it shows that
/// commits are slow however little they hold.</summary>
public sealed class WaitingRoom
{
    /// <summary>A batch that takes so long for many rows says that PostgreSQL writes no faster. Few rows say nothing: one row takes as long as the disk needs, or as a pause lasts.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(200);

    private const int Many = 64;

    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(100);

    /// <summary>Fewer are never let in: a slow disk writes them in one go.</summary>
    private const int Least = 32;

    /// <summary>So many batches in a row that took about as long as the evidence although they had about half its rows or fewer: fewer rows make it no faster.</summary>
    private const int Proof = 3;

    private const double AboutAsLong = 0.75;
    private const double AboutHalf = 0.6;

    private int many = Many;
    private TimeSpan behind;
    private (int Rows, TimeSpan Took) evidence;
    private int noFaster;
    private volatile int rows = int.MaxValue;

    /// <summary>The rows that may wait now; any number while nothing is behind.</summary>
    public int Rows => rows;

    /// <summary>A batch was written.</summary>
    public void Wrote(int batch, TimeSpan took)
    {
        if (rows == int.MaxValue)
        {
            many = took < Moment ? Many : many;
            behind = batch >= many && took >= Long ? behind + took : TimeSpan.Zero;
            if (behind >= Behind)
            {
                evidence = (batch, took);
                rows = RoomFor(batch, took);
            }

            return;
        }

        noFaster = took > AboutAsLong * evidence.Took && batch < AboutHalf * evidence.Rows ? noFaster + 1 : 0;
        if (noFaster == Proof)
        {
            many = Math.Min(4 * evidence.Rows, GroupCommitLimits.MaxRows);
        }

        if (noFaster == Proof || batch < rows / 2)
        {
            (rows, behind, noFaster) = (int.MaxValue, TimeSpan.Zero, 0);
        }
        else if (noFaster == 0)
        {
            rows = RoomFor(batch, took);
        }
    }

    private static int RoomFor(int batch, TimeSpan took) => Math.Clamp((int)(batch * (Moment / took)), Least, int.MaxValue);
}
