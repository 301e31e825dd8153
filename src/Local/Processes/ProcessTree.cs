namespace QueueScale.Local;

/// <summary>What a process brought with it: its descendants and whoever shares its session. Taken before it is killed, as orphans can no longer be told.</summary>
internal static class ProcessTree
{
    /// <summary>All living members, the root first.</summary>
    public static IReadOnlyList<ProcessIdentity> Of(ProcessIdentity root)
    {
        if (!root.IsAlive) return [];
        var all = ProcessStat.All();
        var members = new HashSet<int> { root.Pid };
        for (var grown = true; grown;)
        {
            grown = false;
            foreach (var process in all)
            {
                if (!members.Contains(process.Pid) && (members.Contains(process.Parent) || process.Session == root.Pid)) grown = members.Add(process.Pid);
            }
        }
        return [root, .. all.Where(process => process.IsAlive && process.Pid != root.Pid && members.Contains(process.Pid)).Select(process => process.Identity)];
    }

    /// <summary>Ends what is left of <paramref name="processes"/>: waits for <paramref name="patience"/>, then SIGKILL.</summary>
    public static async Task EndAsync(IReadOnlyList<ProcessIdentity> processes, TimeSpan patience)
    {
        var until = DateTime.UtcNow + patience;
        foreach (var process in processes)
        {
            var left = until - DateTime.UtcNow;
            if (await process.WaitUntilGoneAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero)) continue;

            process.Send(Signal.Kill);
            if (!await process.WaitUntilGoneAsync(TimeSpan.FromSeconds(10)))
            {
                throw new LocalProblem($"Process {process.Pid} does not end although it was killed. It may wait for a disk; try again, or restart the machine.");
            }
        }
    }
}
