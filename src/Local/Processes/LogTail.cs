namespace QueueScale.Local;

/// <summary>The end of a log file.</summary>
internal static class LogTail
{
    private const int MostBytes = 64 * 1024;

    /// <summary>The last lines that were written after <paramref name="from"/>, each indented.</summary>
    public static string Read(string path, long from, int lines)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Position = Math.Max(Math.Min(from, file.Length), file.Length - MostBytes);
            using var reader = new StreamReader(file);
            var all = reader.ReadToEnd().Split('\n').Where(line => line.Trim().Length > 0).ToArray();
            return all.Length == 0 ? "  (its log is empty)" : string.Join('\n', all.TakeLast(lines).Select(line => "  " + line.TrimEnd()));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return "  (it has no log)";
        }
    }
}
