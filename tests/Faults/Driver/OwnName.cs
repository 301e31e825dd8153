using System.Globalization;

namespace QueueScale.Faults;

/// <summary>Names for what outlives a crash (namespaces, mounts, cgroups, files): each tells whose it is, so that the next run can remove what a dead one left.</summary>
internal static class OwnName
{
    /// <summary>How every such name begins.</summary>
    public const string Prefix = "queuescale-faults-";

    private static readonly ProcessIdentity Own = ProcessStat.TryRead(Environment.ProcessId)!.Value.Identity;
    private static int last;

    /// <summary>A name that nothing else has.</summary>
    public static string Next() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Own.Pid}-{Own.StartTime}-{Interlocked.Increment(ref last)}");

    /// <summary>Whether it is the name of something whose owner is dead.</summary>
    public static bool IsLeft(string name) =>
        name.StartsWith(Prefix, StringComparison.Ordinal)
        && name[Prefix.Length..].Split('-') is [var pid, var start, _]
        && int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out var owner)
        && long.TryParse(start, NumberStyles.None, CultureInfo.InvariantCulture, out var startTime)
        && !new ProcessIdentity(owner, startTime).IsAlive;
}
