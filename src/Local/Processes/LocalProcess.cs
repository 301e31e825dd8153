using System.ComponentModel;
using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>A program that runs on its own: a session of its own, output to a log, a pid file by which a later command finds it again.</summary>
public sealed class LocalProcess
{
    // Writes the pid file, then becomes the program. While the pid file is not written, its error output is the starter's pipe; the end of that pipe
    // tells the starter that the pid file is there.
    private const string Wrapper = """
        set -efu
        pid_file=$1 log=$2 log_start=$3; shift 3
        read -r stat </proc/self/stat
        start_time_of() { start=${20}; }
        start_time_of ${stat##*) }
        echo "$$ $start $log_start" >"$pid_file"
        exec </dev/null >>"$log" 2>&1
        exec "$@"
        """;

    private const long LargestLog = 8 * 1024 * 1024;

    private readonly ProcessIdentity _identity;
    private readonly long _logStart;
    private readonly string _pidFile;
    private readonly Process? _child;

    private LocalProcess(RunFolder folder, string name, PidFile pidFile, Process? child)
    {
        Name = name;
        LogPath = LogOf(folder, name);
        _identity = pidFile.Identity;
        _logStart = pidFile.LogStart;
        _pidFile = PidFileOf(folder, name);
        _child = child;
    }

    /// <summary>Its name within the run folder.</summary>
    public string Name { get; }

    /// <summary>Its process id, which is also its session and process group.</summary>
    public int Pid => _identity.Pid;

    /// <summary>Where its output goes.</summary>
    public string LogPath { get; }

    /// <summary>When it was started (UTC): it wrote its pid file then.</summary>
    public DateTime StartedAt => File.GetLastWriteTimeUtc(_pidFile);

    /// <summary>Whether it runs; a zombie does not.</summary>
    public bool IsRunning => _identity.IsAlive;

    /// <summary>The running process of that name, started by whomever; null when there is none.</summary>
    public static LocalProcess? Find(RunFolder folder, string name) =>
        PidFile.ReadIfAlive(PidFileOf(folder, name)) is { } pidFile ? new LocalProcess(folder, name, pidFile, child: null) : null;

    /// <summary>Starts a program. When this returns, its pid file is written.</summary>
    /// <exception cref="LocalProblem">It cannot be started. That the program itself ends at once is not noticed here.</exception>
    public static async Task<LocalProcess> StartAsync(RunFolder folder, ProgramStart start, CancellationToken cancellation = default)
    {
        if (Find(folder, start.Name) is { } running) throw new InvalidOperationException($"{start.Name} runs already in {folder} as process {running.Pid}.");
        folder.Create();
        var log = LogOf(folder, start.Name);
        if (File.Exists(log) && new FileInfo(log).Length > LargestLog) File.Move(log, log + ".1", overwrite: true);
        var logStart = File.Exists(log) ? new FileInfo(log).Length : 0;

        var info = new ProcessStartInfo("setsid", ["sh", "-c", Wrapper, "queuescale", PidFileOf(folder, start.Name), log, $"{logStart}", start.Program, .. start.Arguments])
        {
            WorkingDirectory = start.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var variable in info.Environment.Keys.Where(variable => start.WithoutVariables.Any(variable.StartsWith)).ToArray()) info.Environment.Remove(variable);
        foreach (var (variable, value) in start.Environment) info.Environment[variable] = value;
        info.Environment[RunFolder.Marker] = folder.FullPath;

        var child = Begin(info);
        var complaint = await child.StandardError.ReadToEndAsync(cancellation);
        child.StandardInput.Close();
        if (PidFile.ReadIfAlive(PidFileOf(folder, start.Name)) is { } pidFile && pidFile.Identity.Pid == child.Id) return new(folder, start.Name, pidFile, child);

        // It ended before we could look (then the log says why), or it never came to write its pid file.
        await child.WaitForExitAsync(cancellation);
        if (complaint.Length > 0) throw new LocalProblem($"{start.Name} cannot be started: {complaint.Trim()}");
        return new(folder, start.Name, new PidFile(new ProcessIdentity(child.Id, StartTime: -1), logStart), child);
    }

    /// <summary>Sends a signal to this one process.</summary>
    public void Signal(Signal signal) => _identity.Send(signal);

    /// <summary>Sends a signal to it and to all its children, for example to freeze a whole server.</summary>
    public void SignalAll(Signal signal)
    {
        foreach (var member in ProcessTree.Of(_identity)) member.Send(signal);
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code (128 + the signal where one ended it); null when this process did not start it and so cannot know.</returns>
    public async Task<int?> WaitForExitAsync(CancellationToken cancellation = default)
    {
        if (_child is null)
        {
            await _identity.WaitUntilGoneAsync(TimeSpan.MaxValue, cancellation);
            return null;
        }
        await _child.WaitForExitAsync(cancellation);
        return _child.ExitCode;
    }

    /// <summary>Asks it to end; after <paramref name="patience"/> it is killed. When this returns, neither it nor any child of it is left.</summary>
    /// <returns>Whether asking was enough.</returns>
    public async Task<bool> StopAsync(TimeSpan patience, Signal ask = Local.Signal.Terminate)
    {
        var members = ProcessTree.Of(_identity);
        _identity.Send(ask);
        _identity.Send(Local.Signal.Continue); // a frozen process would never hear it
        var polite = await _identity.WaitUntilGoneAsync(patience);
        if (!polite)
        {
            members = [.. ProcessTree.Of(_identity).Union(members)];
            _identity.Send(Local.Signal.Kill);
        }
        await ProcessTree.EndAsync(members, patience: TimeSpan.FromSeconds(polite ? 2 : 0));
        File.Delete(_pidFile);
        return polite;
    }

    /// <summary>SIGKILL to it and to all its children. When this returns, none is left.</summary>
    public async Task KillAsync()
    {
        var members = ProcessTree.Of(_identity);
        foreach (var member in members) member.Send(Local.Signal.Kill);
        await ProcessTree.EndAsync(members, patience: TimeSpan.Zero);
        File.Delete(_pidFile);
    }

    /// <summary>The last lines of what this start of it has written.</summary>
    public string LastLines(int lines = 15) => LogTail.Read(LogPath, _logStart, lines);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} (pid {Pid})";

    internal IReadOnlyList<ProcessIdentity> Tree() => ProcessTree.Of(_identity);

    internal static string PidFileOf(RunFolder folder, string name) => Path.Combine(folder.PidFiles, name + ".pid");

    private static string LogOf(RunFolder folder, string name) => Path.Combine(folder.Logs, name + ".log");

    private static Process Begin(ProcessStartInfo info)
    {
        try
        {
            return Process.Start(info)!;
        }
        catch (Win32Exception error)
        {
            throw new LocalProblem($"Cannot start `setsid` in {info.WorkingDirectory}: {error.Message}. It comes with the package util-linux.", error);
        }
    }
}
