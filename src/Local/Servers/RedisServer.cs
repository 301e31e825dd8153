using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace QueueScale.Local;

/// <summary>A private Redis of a run folder: loopback only, a generated password, in memory alone. A system without it works, too: jobs are read more slowly.</summary>
public sealed class RedisServer
{
    private const int MostMegabytes = 64;
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly RunFolder _folder;

    internal RedisServer(RunFolder folder) => _folder = folder;

    /// <summary>Its name in the run folder, under which its port and its password are remembered, too.</summary>
    internal const string ProcessName = "redis";

    /// <summary>Where it listens on 127.0.0.1.</summary>
    public int Port => _folder.Remembered.KnownPort(ProcessName) ?? throw NeverStarted();

    /// <summary>Its password.</summary>
    public string Password => _folder.Remembered.KnownSecret(ProcessName) ?? throw NeverStarted();

    /// <summary>How StackExchange.Redis is told of it.</summary>
    public string ConnectionString => $"127.0.0.1:{Port},password={Password}";

    /// <summary>Its process; null when it does not run.</summary>
    public LocalProcess? Process => LocalProcess.Find(_folder, ProcessName);

    /// <summary>Whether the program is installed.</summary>
    internal static bool IsInstalled => Program is not null;

    private static string? Program => SearchPath.Find("redis-server", "/usr/bin", "/usr/local/bin");

    private string Home => Path.Combine(_folder.FullPath, "redis");

    /// <summary>Starts it where it does not run, and returns when it answers.</summary>
    public async Task StartAsync(Tell? tell = null, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        var process = Process;
        var started = process is null;
        process ??= await BeginAsync(cancellation);
        for (; !(await AskAsync("PING", cancellation)).StartsWith("+PONG", StringComparison.Ordinal); await Task.Delay(Pause, cancellation))
        {
            if (!process.IsRunning || clock.Elapsed > StartPatience) throw new LocalProblem($"Redis did not start. The last lines of {process.LogPath}:\n{process.LastLines()}");
        }
        tell?.Invoke("Redis", $"{(started ? "ready in" : "runs already, answered in")} {clock.Elapsed.TotalSeconds:0.0} s on 127.0.0.1:{Port}");
    }

    /// <summary>Ends it. What it held is gone.</summary>
    public async Task StopAsync()
    {
        if (Process is { } process) await process.StopAsync(StopPatience);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (Process is { } process) await process.KillAsync();
    }

    /// <summary>Sends one command and returns the first line of the answer as it comes; nothing where there is none.</summary>
    public async Task<string> AskAsync(string command, CancellationToken cancellation = default)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port, cancellation);
            await using var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"AUTH {Password}\r\n{command}\r\n"), cancellation);
            using var lines = new StreamReader(stream, Encoding.ASCII);
            return await lines.ReadLineAsync(cancellation) == "+OK" ? await lines.ReadLineAsync(cancellation) ?? "" : "";
        }
        catch (Exception error) when (error is SocketException or IOException)
        {
            return "";
        }
    }

    internal void DeleteData()
    {
        if (Directory.Exists(Home)) Directory.Delete(Home, recursive: true);
    }

    private async Task<LocalProcess> BeginAsync(CancellationToken cancellation)
    {
        var program = Program ?? throw new LocalProblem("Redis is not installed. On Debian or Ubuntu: apt-get install redis-server");
        RunFolder.CreateFolder(Home);
        var configuration = Path.Combine(Home, "redis.conf");
        SecretFile.Write(configuration, $"""
            bind 127.0.0.1
            port {_folder.Remembered.FreePortFor(ProcessName)}
            requirepass {_folder.Remembered.Secret(ProcessName)}
            dir "{Home}"
            save ""
            appendonly no
            maxmemory {MostMegabytes}mb
            maxmemory-policy allkeys-lru

            """);
        return await LocalProcess.StartAsync(_folder, new ProgramStart(ProcessName, program, configuration), cancellation);
    }

    private LocalProblem NeverStarted() => new($"Redis was never started in {_folder}. Start it: ./queuescale up");
}
