using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace QueueScale.Local;

/// <summary>A private PostgreSQL of a run folder: loopback only, a generated password, no socket file, durable settings as they come.</summary>
public sealed class PostgresServer
{
    private const string Owner = "queuescale";
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(30);

    private readonly RunFolder _folder;

    internal PostgresServer(RunFolder folder) => _folder = folder;

    /// <summary>Its name in the run folder, under which its port and its password are remembered, too.</summary>
    internal const string ProcessName = "postgres";

    /// <summary>The database that <c>up</c> uses.</summary>
    public const string DefaultDatabase = "queuescale";

    /// <summary>Where it listens on 127.0.0.1.</summary>
    public int Port => _folder.Remembered.KnownPort(ProcessName) ?? throw NeverStarted();

    /// <summary>Its main process; null when it does not run.</summary>
    public LocalProcess? Process => LocalProcess.Find(_folder, ProcessName);

    private string Password => _folder.Remembered.KnownSecret(ProcessName) ?? throw NeverStarted();

    /// <summary>The Npgsql connection string of a database. The user may do everything on this server.</summary>
    public string ConnectionString(string database = DefaultDatabase) =>
        $"Host=127.0.0.1;Port={Port};Database={database};Username={Owner};Password={Password};GSS Encryption Mode=Disable";

    /// <summary>Creates a database.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="template">A database to copy, which nobody may be connected to; an empty one unless named.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task CreateDatabaseAsync(string name, string template = "template0", CancellationToken cancellation = default) =>
        SqlAsync($"CREATE DATABASE {Quoted(name)} TEMPLATE {Quoted(template)}", cancellation: cancellation);

    /// <summary>Drops a database, with whoever is connected to it. One that is not there is no error.</summary>
    public Task DropDatabaseAsync(string name, CancellationToken cancellation = default) =>
        SqlAsync($"DROP DATABASE IF EXISTS {Quoted(name)} WITH (FORCE)", cancellation: cancellation);

    /// <summary>Runs one statement with psql and returns what it printed, columns separated by |.</summary>
    /// <exception cref="LocalProblem">The statement failed.</exception>
    public async Task<string> SqlAsync(string sql, string database = "postgres", CancellationToken cancellation = default)
    {
        var result = await PsqlAsync(await ProgramsAsync(), sql, database, cancellation);
        return result.Succeeded ? result.Output.Trim() : throw new LocalProblem($"PostgreSQL refused `{sql}`: {result.Error.Trim()}");
    }

    /// <summary>Starts it where it does not run, and returns when it answers with our password.</summary>
    public async Task StartAsync(Tell? tell = null, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        var programs = await ProgramsAsync();
        var process = Process;
        var started = process is null;
        process ??= await BeginAsync(programs, tell, cancellation);
        await WaitUntilReadyAsync(process, programs, cancellation);
        tell?.Invoke($"PostgreSQL {programs.Major}", $"{(started ? "ready in" : "runs already, answered in")} {clock.Elapsed.TotalSeconds:0.0} s on 127.0.0.1:{Port}");
    }

    /// <summary>Ends it in an orderly way (fast shutdown): open transactions are rolled back.</summary>
    public async Task StopAsync()
    {
        if (Process is { } process) await process.StopAsync(StopPatience, Signal.Interrupt);
    }

    /// <summary>SIGKILL to the server and all its children.</summary>
    public async Task KillAsync()
    {
        if (Process is { } process) await process.KillAsync();
    }

    internal void DeleteData()
    {
        foreach (var home in HomesOf(_folder).Where(Directory.Exists)) Directory.Delete(home, recursive: true);
    }

    /// <summary>Where its data can be.</summary>
    internal static IEnumerable<string> HomesOf(RunFolder folder) => [Path.Combine(folder.FullPath, "postgres"), HomeOutside(folder)];

    // As root the data belongs to another user, who cannot reach a checkout below /root.
    private static string HomeOutside(RunFolder folder) =>
        "/var/tmp/queuescale-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder.FullPath)))[..16];

    private async Task<PostgresPrograms> ProgramsAsync()
    {
        var data = HomesOf(_folder).Select(home => Path.Combine(home, "data")).FirstOrDefault(IsWhole);
        int? major = data is null ? null : int.Parse(await File.ReadAllTextAsync(Path.Combine(data, "PG_VERSION")), CultureInfo.InvariantCulture);
        return await PostgresPrograms.FindAsync(major)
            ?? throw new LocalProblem(major is null
                ? "PostgreSQL is not installed. On Debian or Ubuntu: apt-get install postgresql"
                : $"The data in {_folder} was made by PostgreSQL {major}, which is not installed. Install it, or start anew with: ./queuescale down --wipe");
    }

    private async Task<LocalProcess> BeginAsync(PostgresPrograms programs, Tell? tell, CancellationToken cancellation)
    {
        var user = OsUser.ForPostgres();
        var home = await HomeAsync(user, cancellation);
        var data = Path.Combine(home, "data");
        if (!IsWhole(data)) await InitialiseAsync(programs, user, home, data, tell, cancellation);
        ForgetDeadServer(data);

        IReadOnlyList<string> line =
        [
            .. user?.Prefix ?? [], programs.Postgres, "-D", data, "-p", $"{_folder.Remembered.FreePortFor(ProcessName)}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
        ];
        return await LocalProcess.StartAsync(
            _folder,
            new ProgramStart(ProcessName, line[0], [.. line.Skip(1)]) { WithoutVariables = ["PG"], Environment = new Dictionary<string, string?> { ["HOME"] = home } },
            cancellation);
    }

    private async Task<string> HomeAsync(OsUser? user, CancellationToken cancellation)
    {
        var inside = HomesOf(_folder).First();
        if (user is null)
        {
            RunFolder.CreateFolder(inside);
            return inside;
        }

        // Once outside, always outside: the data is there. Without our password it is the data of a run folder that was removed by hand.
        var outside = HomeOutside(_folder);
        if (_folder.Remembered.KnownSecret(ProcessName) is null) await DeleteAsync(outside, cancellation);
        if (!Directory.Exists(outside) && await CanUseAsync(inside, user, cancellation)) return inside;
        if (await CanUseAsync(outside, user, cancellation)) return outside;
        throw new LocalProblem($"User {user.Name}, as whom PostgreSQL runs, can write neither in {inside} nor in {outside}. Remove them if they are there, or give that user access.");
    }

    private static async Task<bool> CanUseAsync(string home, OsUser user, CancellationToken cancellation)
    {
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (new DirectoryInfo(home).LinkTarget is not null) throw new LocalProblem($"{home} is a link, which somebody else may have put there. Remove it.");
        var existed = Directory.Exists(home);
        if (!existed)
        {
            Directory.CreateDirectory(home, own);
            Posix.ChangeOwner(home, user);
        }

        var usable = await ProgramRun.RunAsync([.. user.Prefix, "test", "-O", home, "-a", "-w", home, "-a", "-x", home], cancellation: cancellation);
        if (!usable.Succeeded && !existed) Directory.Delete(home);
        return usable.Succeeded;
    }

    // An initdb that was told to end removes its own files, and its last child may still write some.
    private static async Task DeleteAsync(string folder, CancellationToken cancellation)
    {
        for (var clock = Stopwatch.StartNew(); Directory.Exists(folder); await Task.Delay(Pause, cancellation))
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException) when (clock.Elapsed < TimeSpan.FromSeconds(10))
            {
                // somebody was quicker, or wrote once more
            }
        }
    }

    private static bool IsWhole(string data) => File.Exists(Path.Combine(data, "PG_VERSION")) && File.Exists(Path.Combine(data, "global", "pg_control"));

    // Made under another name first, so that a crash leaves no half of a data folder behind under the right one.
    private async Task InitialiseAsync(PostgresPrograms programs, OsUser? user, string home, string data, Tell? tell, CancellationToken cancellation)
    {
        foreach (var half in Directory.GetDirectories(home)) await DeleteAsync(half, cancellation);
        tell?.Invoke($"PostgreSQL {programs.Major}", $"making a data folder in {home}");

        var password = Path.Combine(home, "password"); // for initdb alone
        SecretFile.Write(password, _folder.Remembered.Secret(ProcessName));
        if (user is not null) Posix.ChangeOwner(password, user);

        var fresh = Path.Combine(home, $"initdb-{Guid.NewGuid():N}");
        var made = await ProgramRun.RunAsync(
            [.. user?.Prefix ?? [], programs.InitDb, "-D", fresh, "-U", Owner, $"--pwfile={password}", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"],
            new Dictionary<string, string?> { ["HOME"] = home, [RunFolder.Marker] = _folder.FullPath },
            cancellation: cancellation);
        File.Delete(password);
        if (!made.Succeeded) throw new LocalProblem($"PostgreSQL's initdb failed:\n  {(made.Error + made.Output).Trim().ReplaceLineEndings("\n  ")}");
        Directory.Move(fresh, data);
    }

    // PostgreSQL refuses to start where postmaster.pid names a living process of the same user, even when that number belongs to another program by now,
    // as it often does after a container was restarted.
    private static void ForgetDeadServer(string data)
    {
        var pidFile = Path.Combine(data, "postmaster.pid");
        if (!File.Exists(pidFile)) return;
        if (int.TryParse(File.ReadLines(pidFile).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            && ProcessStat.TryRead(pid) is { IsAlive: true, Name: "postgres" }) return; // its own check decides
        File.Delete(pidFile);
    }

    private async Task WaitUntilReadyAsync(LocalProcess process, PostgresPrograms programs, CancellationToken cancellation)
    {
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(Pause, cancellation))
        {
            var answer = await PsqlAsync(programs, $"SELECT 1 FROM pg_database WHERE datname = '{DefaultDatabase}'", "postgres", cancellation);
            if (answer.Succeeded)
            {
                if (answer.Output.Trim() != "1") await CreateDatabaseAsync(DefaultDatabase, cancellation: cancellation);
                return;
            }

            if (!process.IsRunning) throw new LocalProblem($"PostgreSQL ended while it started. The last lines of {process.LogPath}:\n{process.LastLines()}");
            if (answer.Error.Contains("password authentication failed", StringComparison.Ordinal))
            {
                throw new LocalProblem($"PostgreSQL does not know the password in {_folder.SettingsFile}. If that file was lost, start anew: ./queuescale down --wipe");
            }
            if (clock.Elapsed > StartPatience)
            {
                throw new LocalProblem($"PostgreSQL did not answer within {StartPatience.TotalSeconds:0} s ({answer.Error.Trim()}). The last lines of {process.LogPath}:\n{process.LastLines()}");
            }
        }
    }

    private Task<ProgramRun> PsqlAsync(PostgresPrograms programs, string sql, string database, CancellationToken cancellation) =>
        ProgramRun.RunAsync(
            [programs.Psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", $"{Port}", "-U", Owner, "-d", database, "-c", sql],
            new Dictionary<string, string?> { ["PGPASSWORD"] = Password, ["PGCONNECT_TIMEOUT"] = "5", ["PGGSSENCMODE"] = "disable" },
            cancellation: cancellation);

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private LocalProblem NeverStarted() => new($"PostgreSQL was never started in {_folder}. Start it: ./queuescale up");
}
