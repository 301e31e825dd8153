using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>An API or worker process on this machine, listening on a port of its own.</summary>
public sealed class HostProcess
{
    /// <summary>The project of the API.</summary>
    public const string Api = "QueueScale.Api";

    /// <summary>The project of the worker.</summary>
    public const string Worker = "QueueScale.Worker";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);
    private static readonly HttpClient Probe = new() { Timeout = TimeSpan.FromSeconds(5) };

    private HostProcess(LocalProcess process, string address, int port) => (Process, Url) = (process, new Uri($"http://{address}:{port}/"));

    /// <summary>The process.</summary>
    public LocalProcess Process { get; }

    /// <summary>Its name in the run folder.</summary>
    public string Name => Process.Name;

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>The running one of that name; null when there is none.</summary>
    public static HostProcess? Find(RunFolder folder, string name) =>
        LocalProcess.Find(folder, name) is { } process && folder.Remembered.KnownPort(name) is { } port ? new(process, HostPlace.Here.Address, port) : null;

    /// <summary>Starts one. It is not ready yet when this returns.</summary>
    /// <param name="folder">Its pid file, log and port go there.</param>
    /// <param name="name">Its name there, such as <c>worker-1</c>.</param>
    /// <param name="program">Path of its dll; <see cref="Checkout.ProgramOf"/> knows those of this checkout.</param>
    /// <param name="settings">Environment variables; see <see cref="HostSettings"/>.</param>
    /// <param name="cancellation">Ends the start.</param>
    public static Task<HostProcess> StartAsync(
        RunFolder folder, string name, string program, IReadOnlyDictionary<string, string?> settings, CancellationToken cancellation = default) =>
        StartAsync(folder, name, program, settings, HostPlace.Here, cancellation);

    /// <summary>Starts one elsewhere than simply here.</summary>
    public static async Task<HostProcess> StartAsync(
        RunFolder folder, string name, string program, IReadOnlyDictionary<string, string?> settings, HostPlace place, CancellationToken cancellation = default)
    {
        var port = folder.Remembered.FreePortFor(name);
        IReadOnlyList<string> line = [.. place.Prefix, Dotnet.Host, program];
        var process = await LocalProcess.StartAsync(
            folder,
            new ProgramStart(name, line[0], [.. line.Skip(1)])
            {
                WorkingDirectory = Path.GetDirectoryName(program)!, // appsettings.json is read from there
                WithoutVariables = ["ASPNETCORE_HTTP_PORTS", "ASPNETCORE_HTTPS_PORTS", TestServers.Variable],
                Environment = new Dictionary<string, string?>(settings) { ["ASPNETCORE_URLS"] = $"http://{place.Address}:{port}" },
            },
            cancellation);
        return new(process, place.Address, port);
    }

    /// <summary>Returns when it answers 200 on /health/ready.</summary>
    /// <exception cref="LocalProblem">It ended, or was not ready in time; with the last lines of its log.</exception>
    public async Task WaitUntilReadyAsync(TimeSpan? patience = null, CancellationToken cancellation = default)
    {
        var limit = patience ?? TimeSpan.FromSeconds(30);
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(Pause, cancellation))
        {
            var answer = await ReadinessAsync(cancellation);
            if (answer == "200") return;
            if (!Process.IsRunning) throw new LocalProblem($"{Name} ended while it started. The last lines of {Process.LogPath}:\n{Process.LastLines()}");
            if (clock.Elapsed > limit)
            {
                throw new LocalProblem($"{Name} was not ready within {limit.TotalSeconds:0} s (/health/ready: {answer}). The last lines of {Process.LogPath}:\n{Process.LastLines()}");
            }
        }
    }

    private async Task<string> ReadinessAsync(CancellationToken cancellation)
    {
        try
        {
            using var answer = await Probe.GetAsync(new Uri(Url, "health/ready"), cancellation);
            return $"{(int)answer.StatusCode}";
        }
        catch (HttpRequestException)
        {
            return "no answer";
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return "no answer in time";
        }
    }
}
