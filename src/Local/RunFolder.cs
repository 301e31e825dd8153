namespace QueueScale.Local;

/// <summary>The one folder that holds everything of a private system: data, logs, pid files, remembered ports and generated secrets.</summary>
public sealed class RunFolder
{
    /// <summary>Every process started for a run folder carries this variable with the folder's path, and so do its children.</summary>
    internal const string Marker = "QUEUESCALE_STARTED_FOR";

    /// <summary>Names a run folder; nothing is created yet.</summary>
    public RunFolder(string path) => FullPath = Path.GetFullPath(path).TrimEnd('/');

    /// <summary>The folder of this checkout's own system: what QUEUESCALE_RUN names, else <c>.run</c>.</summary>
    public static RunFolder OfCheckout =>
        new(Environment.GetEnvironmentVariable("QUEUESCALE_RUN") is { Length: > 0 } named ? named : Path.Combine(Checkout.Root, ".run"));

    /// <summary>The folder of this checkout's test runs. Each set of servers has a folder within it.</summary>
    public static RunFolder OfTests => OfCheckout.Below("tests");

    /// <summary>Where it is.</summary>
    public string FullPath { get; }

    /// <summary>Whether it is there.</summary>
    public bool Exists => Directory.Exists(FullPath);

    /// <summary>The data root of the workers: <c>file:</c> sources are relative to it.</summary>
    public string DataRoot => Path.Combine(FullPath, "data");

    /// <summary>Where the logs are.</summary>
    public string Logs => Path.Combine(FullPath, "logs");

    internal string PidFiles => Path.Combine(FullPath, "pids");
    internal string SettingsFile => Path.Combine(FullPath, "settings.json");
    internal string LockFile => Path.Combine(FullPath, "lock");

    /// <summary>A run folder within this one, with servers and processes of its own.</summary>
    public RunFolder Below(string name) => new(Path.Combine(FullPath, name));

    /// <summary>The run folders within this one, the innermost first.</summary>
    public IReadOnlyList<RunFolder> AllBelow() =>
        !Exists ? [] :
        [.. Directory.EnumerateFiles(FullPath, Path.GetFileName(SettingsFile), new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 4 })
            .Where(settings => settings != SettingsFile)
            .Select(settings => new RunFolder(Path.GetDirectoryName(settings)!))
            .OrderByDescending(folder => folder.FullPath.Length)];

    /// <summary>The names of all processes that have a pid file, running or not.</summary>
    public IReadOnlyList<string> ProcessNames() =>
        Directory.Exists(PidFiles)
            ? [.. Directory.EnumerateFiles(PidFiles, "*.pid").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>Takes the folder's lock, so that two commands at once do not interleave. Creates the folder.</summary>
    /// <param name="tell">Hears of it when another command has to be waited for.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<IDisposable> LockAsync(Tell? tell = null, CancellationToken cancellation = default) => RunFolderLock.TakeAsync(this, tell, cancellation);

    internal Remembered Remembered => new(this);

    internal void Create()
    {
        CreateFolder(FullPath);
        CreateFolder(Logs);
        CreateFolder(PidFiles);
        CreateFolder(DataRoot);
    }

    // As root, PostgreSQL runs as another user, who must be able to pass through to its own folder.
    internal static void CreateFolder(string path)
    {
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (!Directory.Exists(path)) Directory.CreateDirectory(path, Posix.IsRoot ? own | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : own);
    }

    /// <inheritdoc/>
    public override string ToString() => FullPath;
}
