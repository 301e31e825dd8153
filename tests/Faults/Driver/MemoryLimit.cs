using System.Diagnostics;
using System.Globalization;

namespace QueueScale.Faults;

/// <summary>A cgroup with a limit on memory, swap included: the kernel kills in it what wants more.</summary>
/// <remarks>A .NET process that starts in it knows the limit: at three quarters of it its heap is full, and it throws <see cref="OutOfMemoryException"/>. For the
/// kernel to kill it, put it in later, or set DOTNET_GCHeapHardLimit above the limit.</remarks>
public sealed class MemoryLimit : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Cgroups _cgroups;

    private MemoryLimit(Cgroups cgroups, string group) => (_cgroups, Group) = (cgroups, group);

    /// <summary>What goes before a command line to run it in the group from its first moment. Before other prefixes.</summary>
    public IReadOnlyList<string> Prefix => ["sh", "-c", $"""echo $$ > '{Procs(Group)}' && exec "$@" """, "sh"];

    /// <summary>How many processes the kernel has killed in it for want of memory.</summary>
    public int Killed =>
        File.ReadLines(Path.Combine(Group, _cgroups.IsV2 ? "memory.events" : "memory.oom_control"))
            .Select(line => line.Split(' '))
            .Where(fields => fields is ["oom_kill", _])
            .Select(fields => int.Parse(fields[1], CultureInfo.InvariantCulture))
            .FirstOrDefault();

    internal string Group { get; }

    /// <summary>Makes a group below the one we are in ourselves, or beside it, so that no limit set on us is left.</summary>
    /// <exception cref="MissingPrivilege">We may not.</exception>
    public static async Task<MemoryLimit> CreateAsync(long bytes)
    {
        MissingPrivilege.Demand("A cgroup");
        var cgroups = Cgroups.Find();
        foreach (var left in cgroups.Groups().Where(group => OwnName.IsLeft(Path.GetFileName(group)))) await RemoveAsync(left, process => process.Send(Signal.Kill));

        var group = Path.Combine(cgroups.Parent, OwnName.Next());
        try
        {
            Directory.CreateDirectory(group);
            var made = new MemoryLimit(cgroups, group);
            made.Set(bytes);
            return made;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(group)) Directory.Delete(group);
            throw new MissingPrivilege($"A cgroup cannot be made in {cgroups.Parent}: {error.Message}", error);
        }
    }

    /// <summary>Puts a process and all its children into it. What they use already counts as used elsewhere; children to come belong to it.</summary>
    public void Put(LocalProcess process)
    {
        foreach (var member in process.Tree().Where(member => member.IsAlive)) File.WriteAllText(Procs(Group), $"{member.Pid}");
    }

    /// <summary>Removes it. Processes that still run in it go on without the limit.</summary>
    public async ValueTask DisposeAsync() => await RemoveAsync(Group, process => File.WriteAllText(Procs(_cgroups.Own), $"{process.Pid}"));

    private void Set(long bytes)
    {
        var limit = bytes.ToString(CultureInfo.InvariantCulture);
        if (_cgroups.IsV2)
        {
            File.WriteAllText(Path.Combine(Group, "memory.max"), limit);
            WriteWhereThere("memory.swap.max", "0");
        }
        else
        {
            File.WriteAllText(Path.Combine(Group, "memory.limit_in_bytes"), limit);
            WriteWhereThere("memory.swappiness", "0");
            WriteWhereThere("memory.memsw.limit_in_bytes", limit); // memory and swap together
        }
    }

    // The kernel may be built or started without the accounting of swap.
    private void WriteWhereThere(string file, string value)
    {
        var path = Path.Combine(Group, file);
        if (File.Exists(path)) File.WriteAllText(path, value);
    }

    private static async Task RemoveAsync(string group, Action<ProcessIdentity> end)
    {
        for (var clock = Stopwatch.StartNew(); Directory.Exists(group); await Task.Delay(20))
        {
            foreach (var pid in File.ReadLines(Procs(group)).Select(int.Parse).ToArray())
            {
                if (ProcessStat.TryRead(pid) is { IsAlive: true } process) end(process.Identity);
            }
            try
            {
                Directory.Delete(group); // its files are the kernel's and go with it
            }
            catch (IOException) when (clock.Elapsed < Patience)
            {
                // a process is on its way out
            }
        }
    }

    private static string Procs(string group) => Path.Combine(group, "cgroup.procs");

    /// <summary>The hierarchy of cgroups that counts memory.</summary>
    /// <param name="Root">Where it is mounted.</param>
    /// <param name="Own">The group that we are in.</param>
    /// <param name="Parent">Where a group of ours can be made.</param>
    private sealed record Cgroups(bool IsV2, string Root, string Own, string Parent)
    {
        public static Cgroups Find()
        {
            // 4:memory:/path (version 1), 0::/path (version 2)
            var memberships = File.ReadLines("/proc/self/cgroup").Select(line => line.Split(':', 3)).ToArray();
            var v1 = memberships.FirstOrDefault(fields => fields[1].Split(',').Contains("memory"));
            var mine = v1 ?? memberships.FirstOrDefault(fields => fields[0] == "0") ?? throw new MissingPrivilege("There are no cgroups here.");
            var root = MountOf(v1 is null) ?? throw new MissingPrivilege("The cgroups that count memory are not mounted.");
            var own = Path.GetFullPath(root + "/" + mine[2].Trim('/')).TrimEnd('/');
            if (!Directory.Exists(own)) own = root; // in a container the path can be the one outside
            return new Cgroups(v1 is null, root, own, v1 is null ? FirstThatHandsOnMemory(own, root) : own);
        }

        /// <summary>All groups below the root.</summary>
        public string[] Groups() => Directory.GetDirectories(Root, "*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true });

        // In version 2 a group with processes in it has no groups below it that count memory: go up to one that hands it on.
        private static string FirstThatHandsOnMemory(string own, string root)
        {
            for (var group = own; group.Length >= root.Length; group = Path.GetDirectoryName(group)!)
            {
                if (File.ReadAllText(Path.Combine(group, "cgroup.subtree_control")).Split().Contains("memory")) return group;
            }
            try
            {
                File.WriteAllText(Path.Combine(root, "cgroup.subtree_control"), "+memory");
                return root;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new MissingPrivilege($"No cgroup from {own} upwards hands on the count of memory: {error.Message}", error);
            }
        }

        private static string? MountOf(bool v2) =>
            File.ReadLines("/proc/self/mountinfo")
                .Select(line => line.Split(" - "))
                .Where(halves => halves[1].Split(' ') is [var type, _, var options, ..] && (v2 ? type == "cgroup2" : type == "cgroup" && options.Split(',').Contains("memory")))
                .Select(halves => halves[0].Split(' ')[4])
                .FirstOrDefault();
    }
}
