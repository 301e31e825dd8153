using System.Text;

namespace QueueScale.Local;

/// <summary>Processes of a run folder that no pid file names any more: children whose parent was killed, or what somebody deleted the pid file of.</summary>
internal static class Leftovers
{
    /// <summary>Ends them all.</summary>
    /// <param name="folder">The run folder.</param>
    /// <param name="cancellation">Ends the search.</param>
    public static async Task EndAsync(RunFolder folder, CancellationToken cancellation = default)
    {
        // Again until none is found: one that was just being looked at may have started another, as initdb does step after step.
        for (var leftovers = Find(folder); leftovers.Count > 0; leftovers = Find(folder))
        {
            foreach (var leftover in leftovers)
            {
                cancellation.ThrowIfCancellationRequested();
                leftover.Send(Signal.Terminate);
                leftover.Send(Signal.Continue);
            }

            await ProcessTree.EndAsync(leftovers, patience: TimeSpan.FromSeconds(5));
        }
    }

    public static IReadOnlyList<ProcessIdentity> Find(RunFolder folder)
    {
        var known = folder.ProcessNames().Select(name => LocalProcess.Find(folder, name)).OfType<LocalProcess>().SelectMany(process => process.Tree()).ToHashSet();
        var own = OwnLine();
        return [.. ProcessStat.All()
            .Where(process => process.IsAlive && !own.Contains(process.Pid) && !known.Contains(process.Identity) && BelongsTo(folder, process.Pid))
            .Select(process => process.Identity)];
    }

    // The marker in its environment tells; PostgreSQL's children overwrite theirs, but work in the data folder.
    private static bool BelongsTo(RunFolder folder, int pid)
    {
        try
        {
            if (PostgresServer.HomesOf(folder).Any(home => new FileInfo($"/proc/{pid}/cwd").LinkTarget?.StartsWith(home + "/", StringComparison.Ordinal) == true)) return true;
            var marker = $"{RunFolder.Marker}={folder.FullPath}";
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/environ")).Split('\0').Contains(marker);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false; // gone, or another user's
        }
    }

    private static HashSet<int> OwnLine()
    {
        var line = new HashSet<int>();
        for (var pid = Environment.ProcessId; pid > 0 && line.Add(pid);) pid = ProcessStat.TryRead(pid)?.Parent ?? 0;
        return line;
    }
}
