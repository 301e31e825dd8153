using System.Globalization;

namespace QueueScale.Faults.Checker;

/// <summary>What a handler notes in the ledger. The number is the letter in the file.</summary>
public enum LedgerMark : byte
{
    /// <summary>A run begins, resumed from the step of its checkpoint; 0 without one.</summary>
    Begin = (byte)'B',

    /// <summary>The effect of a step.</summary>
    Step = (byte)'S',

    /// <summary>A checkpoint through this step was acknowledged to the handler.</summary>
    Saved = (byte)'C',

    /// <summary>The handler is about to return; the step is its last.</summary>
    End = (byte)'E',
}

/// <summary>One line of the effect ledger: <c>JOB EPOCH MARK STEP PID MONOTONIC WALL</c>, times in microseconds, the wall clock's since 1970. Steps count from 1.</summary>
/// <remarks>The job stands first because its length is fixed: what a torn line and the next are glued to is then never a line.</remarks>
public readonly record struct LedgerLine(Guid Job, int Epoch, LedgerMark Mark, int Step, int Pid, long Monotonic, DateTime At)
{
    private const int Fields = 7;

    /// <summary>The line as it stands in the file, without its end.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Job:N} {Epoch} {(char)Mark} {Step} {Pid} {Monotonic} {(At - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}");

    /// <summary>Reads a line.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out LedgerLine line)
    {
        line = default;
        Span<Range> fields = stackalloc Range[Fields + 1];
        if (text.Split(fields, ' ') != Fields
            || !Guid.TryParseExact(text[fields[0]], "N", out var job)
            || !Number(text[fields[1]], out int epoch)
            || text[fields[2]] is not [var mark] || !Enum.IsDefined((LedgerMark)mark)
            || !Number(text[fields[3]], out int step)
            || !Number(text[fields[4]], out int pid)
            || !Number(text[fields[5]], out long monotonic)
            || !Number(text[fields[6]], out long wall))
        {
            return false;
        }

        line = new LedgerLine(job, epoch, (LedgerMark)mark, step, pid, monotonic, DateTime.UnixEpoch.AddTicks(wall * TimeSpan.TicksPerMicrosecond));
        return true;
    }

    private static bool Number<T>(ReadOnlySpan<char> text, out T number)
        where T : struct, System.Numerics.IBinaryInteger<T> => T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
