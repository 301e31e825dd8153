using System.Text;

namespace QueueScale.Local.Tests;

/// <summary>A run folder of its own for one test. At its end nothing of it is left, whatever happened.</summary>
public sealed class FolderForTest : IAsyncDisposable
{
    // Not below a folder of root's, so that PostgreSQL's user can reach it.
    private const string Place = "/var/tmp";
    private static readonly string Prefix = $"queuescale-test-{Environment.UserName}-"; // another user's are not ours to end

    private static readonly Lazy<Task> Swept = new(EndWhatAKilledTestRunLeftAsync);

    public FolderForTest()
    {
        Folder.Create();
        RunFolderOwner.Claim(Folder);
        Swept.Value.Wait();
    }

    public RunFolder Folder { get; } = new(Path.Combine(Place, Prefix + Guid.NewGuid().ToString("N")));

    /// <summary>Every living process that was started for the folder or names it on its command line, ourselves excepted.</summary>
    public IReadOnlyList<string> Processes() =>
        [.. ProcessStat.All()
            .Where(process => process.IsAlive && process.Pid != Environment.ProcessId && (Holds(process.Pid, "environ") || Holds(process.Pid, "cmdline")))
            .Select(process => $"{process.Pid} {process.Name}")];

    public async ValueTask DisposeAsync()
    {
        if (Folder.Exists)
        {
            using var held = await Folder.LockAsync();
            await RunFolderEnd.KillAllAsync(Folder);
            RunFolderEnd.Wipe(Folder);
        }
        Assert.Empty(Processes());
    }

    private static async Task EndWhatAKilledTestRunLeftAsync()
    {
        foreach (var left in Directory.EnumerateDirectories(Place, Prefix + "*").Select(path => new RunFolder(path)).Where(folder => !RunFolderOwner.IsAlive(folder)))
        {
            using var held = await left.LockAsync();
            await RunFolderEnd.KillAllAsync(left);
            RunFolderEnd.Wipe(left);
        }
    }

    private bool Holds(int pid, string file)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes($"/proc/{pid}/{file}")).Contains(Folder.FullPath, StringComparison.Ordinal);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
