using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace QueueScale.Faults.Checker;

/// <summary>What a test's handler calls. Each line is one <c>write</c> to a file opened with <c>O_APPEND</c>: .NET's own append mode seeks and then
/// writes, so that processes overwrite each other.</summary>
public static partial class EffectLedger
{
    private const int WriteOnly = 1, Create = 0x40, Append = 0x400, CloseOnExec = 0x80000, ReadableByAll = 0b110_100_100;

    private static readonly ConcurrentDictionary<string, int> Files = new();

    /// <summary>A run begins.</summary>
    public static void Begin(string file, Guid job, int epoch, int resumedFrom) => Note(file, job, epoch, LedgerMark.Begin, resumedFrom);

    /// <summary>The effect of a step, noted before its checkpoint.</summary>
    public static void Step(string file, Guid job, int epoch, int step) => Note(file, job, epoch, LedgerMark.Step, step);

    /// <summary>The checkpoint through this step has returned, and said that it saved.</summary>
    public static void Saved(string file, Guid job, int epoch, int step) => Note(file, job, epoch, LedgerMark.Saved, step);

    /// <summary>The handler returns next.</summary>
    public static void End(string file, Guid job, int epoch, int step) => Note(file, job, epoch, LedgerMark.End, step);

    private static void Note(string file, Guid job, int epoch, LedgerMark mark, int step)
    {
        var descriptor = Files.GetOrAdd(file, Open);
        var line = new LedgerLine(job, epoch, mark, step, Environment.ProcessId, Stopwatch.GetElapsedTime(0).Ticks / TimeSpan.TicksPerMicrosecond, DateTime.UtcNow);
        var bytes = Encoding.ASCII.GetBytes($"{line}\n");
        if (write(descriptor, bytes, bytes.Length) != bytes.Length)
        {
            throw new IOException($"The ledger {file} did not take a whole line: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    private static int Open(string file) => open(file, WriteOnly | Create | Append | CloseOnExec, ReadableByAll) is >= 0 and var descriptor
        ? descriptor
        : throw new IOException($"Cannot open the ledger {file}: {Marshal.GetLastPInvokeErrorMessage()}.");

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, byte[] bytes, nint count);
}
