namespace QueueScale.Local;

/// <summary>The folders in which programs are looked for.</summary>
internal static class SearchPath
{
    public static IEnumerable<string> Folders() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Where(Path.IsPathRooted);

    /// <summary>The full path of a program, or null.</summary>
    public static string? Find(string program, params IEnumerable<string> otherFolders) =>
        Folders().Concat(otherFolders).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
