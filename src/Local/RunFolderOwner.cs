namespace QueueScale.Local;

/// <summary>The process for whose life a run folder is in use. <c>up</c> has none: what it starts outlives it.</summary>
internal static class RunFolderOwner
{
    public static bool IsAlive(RunFolder folder) => PidFile.ReadIfAlive(FileOf(folder)) is not null;

    public static string Describe(RunFolder folder) => $"pid {PidFile.ReadIfAlive(FileOf(folder))?.Identity.Pid}";

    public static void Claim(RunFolder folder)
    {
        var own = ProcessStat.TryRead(Environment.ProcessId)!.Value.Identity;
        File.WriteAllText(FileOf(folder), $"{own.Pid} {own.StartTime} 0");
    }

    public static void Release(RunFolder folder) => File.Delete(FileOf(folder));

    private static string FileOf(RunFolder folder) => Path.Combine(folder.FullPath, "owner");
}
