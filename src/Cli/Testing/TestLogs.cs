using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>The logs of the processes that tests start.</summary>
internal static class TestLogs
{
    private const int LastLines = 40;
    private const int LongestLine = 400;

    // A test may have started dozens of processes; those that wrote last were there when it failed.
    private const int MostLogs = 8;

    private static readonly EnumerationOptions Everywhere = new() { RecurseSubdirectories = true, IgnoreInaccessible = true };

    /// <summary>The ends of the logs below <paramref name="folder"/> that were written to since <paramref name="since"/>, the one written last first.</summary>
    /// <param name="folder">A run folder with those within it.</param>
    /// <param name="except">Run folders of tests that run at the same time.</param>
    /// <param name="since">When the test began (UTC).</param>
    public static IReadOnlyList<LogExcerpt> WrittenSince(DateTime since, RunFolder folder, IReadOnlyList<RunFolder> except) =>
        !folder.Exists ? [] :
        [.. new DirectoryInfo(folder.FullPath).EnumerateFiles("*.log", Everywhere)
            .Where(log => log.LastWriteTimeUtc >= since && log.Length > 0 && !except.Any(other => log.FullName.StartsWith(other.FullPath + "/", StringComparison.Ordinal)))
            .OrderByDescending(log => log.LastWriteTimeUtc)
            .Take(MostLogs)
            .Select(log => new LogExcerpt(Path.GetRelativePath(Checkout.Root, log.FullName), Tail(log.FullName)))];

    private static List<string> Tail(string path)
    {
        try
        {
            return [.. File.ReadLines(path).TakeLast(LastLines).Select(line => line.Length <= LongestLine ? line : line[..LongestLine] + " ...")];
        }
        catch (IOException error)
        {
            return [$"(cannot be read: {error.Message})"];
        }
    }
}
