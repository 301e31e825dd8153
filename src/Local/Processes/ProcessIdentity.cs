using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>A process id together with the kernel's start time of the process: the same pair never names another process.</summary>
internal readonly record struct ProcessIdentity(int Pid, long StartTime)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public bool IsAlive => ProcessStat.TryRead(Pid) is { IsAlive: true } now && now.StartTime == StartTime;

    public void Send(Signal signal)
    {
        if (IsAlive) Posix.Kill(Pid, signal);
    }

    /// <summary>Waits until it is gone; false when <paramref name="patience"/> ends first.</summary>
    public async Task<bool> WaitUntilGoneAsync(TimeSpan patience, CancellationToken cancellation = default)
    {
        for (var clock = Stopwatch.StartNew(); IsAlive; await Task.Delay(Pause, cancellation))
        {
            if (clock.Elapsed > patience) return false;
        }
        return true;
    }
}
