using System.Globalization;

namespace QueueScale.Local;

/// <summary>Names a started process: pid, kernel start time, and where its log began. The process itself writes it before it becomes the program, so
/// that a crash of the starter loses nothing.</summary>
internal readonly record struct PidFile(ProcessIdentity Identity, long LogStart)
{
    /// <summary>A pid file is believed only while the process that wrote it lives.</summary>
    public static PidFile? ReadIfAlive(string path)
    {
        string[] parts;
        try
        {
            parts = File.ReadAllText(path).Split(' ', StringSplitOptions.TrimEntries);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }

        if (parts.Length == 3
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var startTime)
            && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var logStart)
            && new ProcessIdentity(pid, startTime) is { IsAlive: true } identity)
        {
            return new(identity, logStart);
        }
        return null;
    }
}
