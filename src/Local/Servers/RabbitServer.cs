using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace QueueScale.Local;

/// <summary>A private RabbitMQ of a run folder with its management plugin: loopback only, own port mapper, own cookie, a generated password.</summary>
public sealed class RabbitServer
{
    private const string NodePort = "rabbitmq-node";
    private const string Owner = "queuescale";
    private const string Node = "queuescale@localhost";
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private readonly RunFolder _folder;
    private readonly PortMapper _portMapper;

    internal RabbitServer(RunFolder folder) => (_folder, _portMapper) = (folder, new PortMapper(folder));

    /// <summary>Its name in the run folder, under which its port and its password are remembered, too.</summary>
    internal const string ProcessName = "rabbitmq";

    /// <summary>What the port of its management page is remembered under.</summary>
    internal const string ManagementPort = "rabbitmq-management";

    /// <summary>The vhost that <c>up</c> uses.</summary>
    public const string DefaultVhost = "queuescale";

    /// <summary>Where it takes AMQP on 127.0.0.1.</summary>
    public int Port => _folder.Remembered.KnownPort(ProcessName) ?? throw NeverStarted();

    /// <summary>The management page and API. Log in as <see cref="User"/> with <see cref="Password"/>.</summary>
    public Uri Management => new($"http://127.0.0.1:{_folder.Remembered.KnownPort(ManagementPort) ?? throw NeverStarted()}/");

    /// <summary>An administrator.</summary>
    public static string User => Owner;

    /// <summary>The administrator's password.</summary>
    public string Password => _folder.Remembered.KnownSecret(ProcessName) ?? throw NeverStarted();

    /// <summary>Its process; null when it does not run.</summary>
    public LocalProcess? Process => LocalProcess.Find(_folder, ProcessName);

    private string Home => Path.Combine(_folder.FullPath, "rabbitmq");

    // Data without it is of a start that never came to its end; the default user may be missing in it.
    private string WholeMark => Path.Combine(Home, "initialised");

    /// <summary>The AMQP address of a vhost.</summary>
    public string Uri(string vhost = DefaultVhost) => $"amqp://{Owner}:{Password}@127.0.0.1:{Port}/{System.Uri.EscapeDataString(vhost)}";

    /// <summary>A client of the management API, logged in.</summary>
    public HttpClient ManagementClient() => new()
    {
        BaseAddress = Management,
        Timeout = TimeSpan.FromSeconds(30),
        DefaultRequestHeaders =
        {
            Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{Owner}:{Password}"))),
        },
    };

    /// <summary>Creates a vhost, with all rights for our user.</summary>
    public async Task CreateVhostAsync(string name, CancellationToken cancellation = default)
    {
        using var client = ManagementClient();
        var vhost = System.Uri.EscapeDataString(name);
        await SendAsync(client, HttpMethod.Put, $"api/vhosts/{vhost}", "{}", cancellation);
        await SendAsync(client, HttpMethod.Put, $"api/permissions/{vhost}/{Owner}", """{"configure": ".*", "write": ".*", "read": ".*"}""", cancellation);
    }

    /// <summary>Deletes a vhost with everything in it. One that is not there is no error.</summary>
    public async Task DeleteVhostAsync(string name, CancellationToken cancellation = default)
    {
        using var client = ManagementClient();
        await SendAsync(client, HttpMethod.Delete, $"api/vhosts/{System.Uri.EscapeDataString(name)}", body: null, cancellation);
    }

    /// <summary>Starts it where it does not run, and returns when it takes AMQP connections to our vhost and management requests.</summary>
    public async Task StartAsync(Tell? tell = null, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        var process = Process;
        var started = process is null;
        process ??= await BeginAsync(cancellation);
        var version = await WaitUntilReadyAsync(process, cancellation);
        if (!File.Exists(WholeMark)) await File.WriteAllTextAsync(WholeMark, "", cancellation);
        tell?.Invoke($"RabbitMQ {version}", $"{(started ? "ready in" : "runs already, answered in")} {clock.Elapsed.TotalSeconds:0.0} s on 127.0.0.1:{Port}, management {Management}");
    }

    /// <summary>Ends it in an orderly way. Takes some seconds.</summary>
    public async Task StopAsync()
    {
        if (Process is { } process) await process.StopAsync(StopPatience);
        await _portMapper.StopAsync();
    }

    /// <summary>SIGKILL to the server and all its children.</summary>
    public async Task KillAsync()
    {
        if (Process is { } process) await process.KillAsync();
        await _portMapper.StopAsync();
    }

    /// <summary>Runs rabbitmqctl on it.</summary>
    /// <exception cref="LocalProblem">It refused.</exception>
    internal async Task<string> ControlAsync(IReadOnlyList<string> arguments, CancellationToken cancellation = default)
    {
        var variables = new Dictionary<string, string?>
        {
            ["HOME"] = Home, // of the cookie
            ["LC_ALL"] = "C.UTF-8",
            ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
            ["ERL_EPMD_PORT"] = $"{_portMapper.Port}",
        };
        var result = await ProgramRun.RunAsync([Programs().Control, "--quiet", "--node", Node, .. arguments], variables, cancellation: cancellation);
        return result.Succeeded ? result.Output.Trim() : throw new LocalProblem($"rabbitmqctl {string.Join(' ', arguments)} failed: {(result.Output + result.Error).Trim()}");
    }

    internal void DeleteData()
    {
        if (Directory.Exists(Home)) Directory.Delete(Home, recursive: true);
    }

    private async Task<LocalProcess> BeginAsync(CancellationToken cancellation)
    {
        var programs = Programs();
        if (!File.Exists(WholeMark)) DeleteData();
        await _portMapper.StartAsync(programs, cancellation);

        foreach (var sub in new[] { "", "data", "log", "generated", "schema" }) RunFolder.CreateFolder(Path.Combine(Home, sub));
        SecretFile.Write(Path.Combine(Home, ".erlang.cookie"), _folder.Remembered.Secret("erlang-cookie"));
        SecretFile.Write(Path.Combine(Home, "enabled_plugins"), "[rabbitmq_management].\n");
        SecretFile.Write(Path.Combine(Home, "rabbitmq.conf"), Configuration());

        return await LocalProcess.StartAsync(
            _folder,
            new ProgramStart(ProcessName, programs.Server) { WithoutVariables = ["RABBITMQ_", "ERL_", "NOTIFY_SOCKET"], Environment = Variables() },
            cancellation);
    }

    private static RabbitPrograms Programs() =>
        RabbitPrograms.Find() ?? throw new LocalProblem("RabbitMQ is not installed. On Debian or Ubuntu: apt-get install rabbitmq-server");

    private string Configuration() =>
        $"""
        listeners.tcp.default = 127.0.0.1:{_folder.Remembered.FreePortFor(ProcessName)}
        management.tcp.ip = 127.0.0.1
        management.tcp.port = {_folder.Remembered.FreePortFor(ManagementPort)}
        default_user = {Owner}
        default_pass = {_folder.Remembered.Secret(ProcessName)}
        default_vhost = {DefaultVhost}
        log.console = true
        log.console.level = info

        """;

    // None of Debian's folders, no file of another installation, nothing listens beyond 127.0.0.1. Idle schedulers sleep at once (+sbwt none): the
    // machine is shared with everything else of the system.
    private Dictionary<string, string?> Variables() => new()
    {
        ["HOME"] = Home,
        ["LC_ALL"] = "C.UTF-8",
        ["RABBITMQ_NODENAME"] = Node,
        ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
        ["RABBITMQ_CONFIG_FILE"] = Path.Combine(Home, "rabbitmq.conf"),
        ["RABBITMQ_ADVANCED_CONFIG_FILE"] = Path.Combine(Home, "advanced.config"),
        ["RABBITMQ_GENERATED_CONFIG_DIR"] = Path.Combine(Home, "generated"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(Home, "enabled_plugins"),
        ["RABBITMQ_MNESIA_BASE"] = Path.Combine(Home, "data"),
        ["RABBITMQ_LOG_BASE"] = Path.Combine(Home, "log"),
        ["RABBITMQ_SCHEMA_DIR"] = Path.Combine(Home, "schema"),
        ["RABBITMQ_LOGS"] = "-",
        ["RABBITMQ_DIST_PORT"] = $"{_folder.Remembered.FreePortFor(NodePort)}",
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        ["ERL_EPMD_PORT"] = $"{_portMapper.Port}",
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        ["ERL_CRASH_DUMP_SECONDS"] = "0",
        ["RUNNING_UNDER_SYSTEMD"] = "true", // the script then becomes the broker instead of standing between it and our signals
    };

    private async Task<string> WaitUntilReadyAsync(LocalProcess process, CancellationToken cancellation)
    {
        using var client = ManagementClient();
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(Pause, cancellation))
        {
            if (await ReadyVersionAsync(client, cancellation) is { } version) return version;
            if (!process.IsRunning) throw new LocalProblem($"RabbitMQ ended while it started. The last lines of {process.LogPath}:\n{process.LastLines()}");
            if (clock.Elapsed > StartPatience)
            {
                throw new LocalProblem($"RabbitMQ was not ready within {StartPatience.TotalSeconds:0} s. The last lines of {process.LogPath}:\n{process.LastLines()}");
            }
        }
    }

    // Its version, once the AMQP listener is open and the vhost runs.
    private async Task<string?> ReadyVersionAsync(HttpClient client, CancellationToken cancellation)
    {
        try
        {
            using var listener = await client.GetAsync($"api/health/checks/port-listener/{Port}", cancellation);
            if (listener.StatusCode == HttpStatusCode.Unauthorized)
            {
                throw new LocalProblem($"RabbitMQ does not know the password in {_folder.SettingsFile}. If that file was lost, start anew: ./queuescale down --wipe");
            }
            if (!listener.IsSuccessStatusCode) return null;

            var vhost = await client.GetStringAsync($"api/vhosts/{DefaultVhost}", cancellation);
            using var seen = JsonDocument.Parse(vhost);
            if (!seen.RootElement.TryGetProperty("cluster_state", out var state) || !state.EnumerateObject().Any(node => node.Value.GetString() == "running")) return null;

            using var overview = JsonDocument.Parse(await client.GetStringAsync("api/overview", cancellation));
            return overview.RootElement.GetProperty("rabbitmq_version").GetString();
        }
        catch (HttpRequestException)
        {
            return null; // not yet
        }
    }

    private static async Task SendAsync(HttpClient client, HttpMethod method, string path, string? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.SendAsync(request, cancellation);
        if (answer.IsSuccessStatusCode || (method == HttpMethod.Delete && answer.StatusCode == HttpStatusCode.NotFound)) return;
        throw new LocalProblem($"RabbitMQ answered {(int)answer.StatusCode} to {method} {path}: {await answer.Content.ReadAsStringAsync(cancellation)}");
    }

    private LocalProblem NeverStarted() => new($"RabbitMQ was never started in {_folder}. Start it: ./queuescale up");
}
