using System.Globalization;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>An API or a worker, started again whenever it has ended. An end that nobody asked for is noted.</summary>
internal sealed class Member : IAsyncDisposable
{
    /// <summary>What a worker ends with that had to leave runs to others.</summary>
    private const int LeftRunsBehind = 1;

    /// <summary>What a process ends with after SIGKILL, be it from us, from itself or from the kernel.</summary>
    private const int Killed = 128 + (int)Local.Signal.Kill;

    private static readonly TimeSpan RestartDelay = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stop = new();
    private readonly Ground ground;
    private readonly Func<Task<HostProcess>> start;
    private readonly List<(HostProcess To, Signal Signal)> sent = [];
    private Task watch = Task.CompletedTask;
    private volatile HostProcess process;
    private HostProcess? judged;

    private Member(Ground ground, HostProcess process, Func<Task<HostProcess>> start) => (this.ground, this.process, this.start) = (ground, process, start);

    public string Name => process.Name;

    public Uri Url => process.Url;

    /// <summary>Signals go through <see cref="Signal"/>, so that it is known what was sent.</summary>
    public LocalProcess Process => process.Process;

    /// <summary>The memory that it holds, in MiB.</summary>
    public int ResidentMiB =>
        int.Parse(File.ReadLines($"/proc/{Process.Pid}/status").Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;

    public static async Task<Member> StartAsync(
        Ground ground, string name, string program, Dictionary<string, string?> settings, HostPlace place, (string Key, string? Value)[] more)
    {
        foreach (var (key, value) in more)
        {
            settings[key] = value;
        }

        Task<HostProcess> StartProcessAsync() => HostProcess.StartAsync(ground.Folder, name, Checkout.ProgramOf(program), settings, place);
        var member = new Member(ground, await StartProcessAsync(), StartProcessAsync);
        try
        {
            await member.process.WaitUntilReadyAsync();
        }
        catch
        {
            await member.DisposeAsync();
            throw;
        }

        member.watch = member.WatchAsync();
        return member;
    }

    /// <summary>Sends a signal to its present process, and notes it.</summary>
    public void Signal(Signal signal)
    {
        var present = process;
        lock (sent)
        {
            sent.Add((present, signal));
        }

        present.Process.Signal(signal);
    }

    public Task WaitUntilReadyAsync() => process.WaitUntilReadyAsync();

    /// <summary>Kills it for good.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await watch;
        if (process != judged && !Process.IsRunning)
        {
            await JudgeEndAsync(CancellationToken.None);
        }

        Process.Signal(Local.Signal.Continue);
        await Process.KillAsync();
        stop.Dispose();
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                await JudgeEndAsync(stop.Token);
                await Task.Delay(RestartDelay, stop.Token);
                process = await start();
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // not wanted any more
        }
    }

    /// <summary>Waits for its end, and notes one that was not asked for: after SIGTERM alone it ends with 0, or with 1 where PostgreSQL was away and it had to leave runs behind; and otherwise it dies of SIGKILL.</summary>
    private async Task JudgeEndAsync(CancellationToken cancellation)
    {
        var code = await Process.WaitForExitAsync(cancellation);
        judged = process;
        Signal[] signals;
        lock (sent)
        {
            signals = [.. sent.Where(one => one.To == process && one.Signal is Local.Signal.Terminate or Local.Signal.Kill).Select(one => one.Signal)];
        }

        var terminated = signals.Contains(Local.Signal.Terminate);
        var asked = code == Killed ? !terminated || signals.Contains(Local.Signal.Kill) : code is 0 or LeftRunsBehind && terminated;
        if (!asked && !(code is { } own && ground.OwnEnds.Contains(own)))
        {
            ground.Note(new HandStart(DateTime.UtcNow, Name, $"exit code {code} after {(signals.Length == 0 ? "no signal" : string.Join(", ", signals))}"));
        }
    }
}
