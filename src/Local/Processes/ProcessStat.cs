using System.Globalization;

namespace QueueScale.Local;

/// <summary>One process as the kernel shows it in <c>/proc/PID/stat</c>.</summary>
internal readonly record struct ProcessStat(int Pid, string Name, char State, int Parent, int Session, long StartTime)
{
    public ProcessIdentity Identity => new(Pid, StartTime);

    /// <summary>A zombie only waits for its parent to notice.</summary>
    public bool IsAlive => State is not ('Z' or 'X' or 'x');

    public static ProcessStat? TryRead(int pid)
    {
        string line;
        try
        {
            line = File.ReadAllText($"/proc/{pid}/stat");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // gone
        }

        // 12 (the name, which may hold spaces and parentheses) S 1 12 12 ...
        var open = line.IndexOf('(', StringComparison.Ordinal);
        var close = line.LastIndexOf(')');
        if (open < 0 || close < open) return null;
        var rest = line[(close + 2)..].Split(' ');
        return new(pid, line[(open + 1)..close], rest[0][0], Number(rest[1]), Number(rest[3]), long.Parse(rest[19], CultureInfo.InvariantCulture));
    }

    public static IReadOnlyList<ProcessStat> All()
    {
        var all = new List<ProcessStat>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && TryRead(pid) is { } stat) all.Add(stat);
        }
        return all;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
