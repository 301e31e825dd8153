namespace QueueScale.Local;

/// <summary>The end of what lives in a run folder. The caller holds its lock.</summary>
internal static class RunFolderEnd
{
    private static readonly string[] ServerNames = ["postgres", "rabbitmq", "epmd", "redis"];

    /// <summary>The processes that use the servers, and so go before them.</summary>
    public static IReadOnlyList<LocalProcess> Hosts(RunFolder folder) =>
        [.. folder.ProcessNames().Except(ServerNames).Select(name => LocalProcess.Find(folder, name)).OfType<LocalProcess>()];

    /// <summary>SIGKILL to every process of the folder.</summary>
    public static async Task KillAllAsync(RunFolder folder)
    {
        await AptGet.LetEndAsync(folder, tell: null, CancellationToken.None);
        foreach (var process in folder.ProcessNames().Select(name => LocalProcess.Find(folder, name)).OfType<LocalProcess>()) await process.KillAsync();
        foreach (var process in Leftovers.Find(folder)) process.Send(Signal.Kill);
        await Leftovers.EndAsync(folder);
    }

    /// <summary>Deletes what the servers and the processes keep, with the ports and passwords.</summary>
    public static void DeleteData(RunFolder folder)
    {
        var servers = LocalServers.Of(folder);
        servers.Postgres.DeleteData();
        servers.Rabbit.DeleteData();
        servers.Redis.DeleteData();
        if (Directory.Exists(folder.DataRoot)) Directory.Delete(folder.DataRoot, recursive: true);
        File.Delete(folder.SettingsFile);
        folder.Create();
    }

    /// <summary>Deletes what earlier processes have logged.</summary>
    public static void DeleteLogs(RunFolder folder)
    {
        foreach (var log in Directory.EnumerateFiles(folder.Logs)) File.Delete(log);
    }

    /// <summary>Deletes the folder and all that is in it.</summary>
    public static void Wipe(RunFolder folder)
    {
        foreach (var below in folder.AllBelow()) LocalServers.Of(below).Postgres.DeleteData();
        LocalServers.Of(folder).Postgres.DeleteData(); // it may be elsewhere
        if (!folder.Exists) return;
        foreach (var part in Directory.EnumerateDirectories(folder.FullPath)) Directory.Delete(part, recursive: true);
        foreach (var part in Directory.EnumerateFiles(folder.FullPath).Where(file => file != folder.LockFile)) File.Delete(part);
        File.Delete(folder.LockFile);
        try
        {
            Directory.Delete(folder.FullPath);
        }
        catch (IOException)
        {
            // Not empty: a command that waited for the lock has begun anew.
        }
    }
}
