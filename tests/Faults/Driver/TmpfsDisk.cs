using System.Text.RegularExpressions;

namespace QueueScale.Faults;

/// <summary>A small disk in memory, mounted over a folder, which can be filled up.</summary>
public sealed partial class TmpfsDisk : IAsyncDisposable
{
    private const string What = "Mounting a tmpfs";

    private TmpfsDisk(string folder) => Folder = folder;

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    private string Ballast => Path.Combine(Folder, OwnName.Prefix + "ballast");

    /// <summary>Mounts one. It begins with a copy of what the folder holds, so a stopped server goes on with its data.</summary>
    /// <param name="folder">Of a server that does not run. When the disk is unmounted, the folder is as it was before.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="MissingPrivilege">We may not.</exception>
    public static async Task<TmpfsDisk> MountAsync(string folder, long bytes, CancellationToken cancellation = default)
    {
        MissingPrivilege.Demand(What);
        foreach (var left in Mounts().Where(mount => OwnName.IsLeft(mount.Source))) await UnmountAsync(left.Folder);

        // The open folder is the one below the mount.
        Directory.CreateDirectory(folder);
        const string script = """exec 3< "$1" && mount -t tmpfs -o "size=$2,mode=700" "$3" "$1" && cp -a /proc/self/fd/3/. "$1" """;
        var disk = new TmpfsDisk(Path.GetFullPath(folder));
        try
        {
            await MissingPrivilege.RunAsync(What, ["sh", "-c", script, "sh", disk.Folder, $"{bytes}", OwnName.Next()], cancellation);
        }
        catch
        {
            await disk.DisposeAsync();
            throw;
        }
        return disk;
    }

    /// <summary>Writes a file until the disk is full to the last byte.</summary>
    public void Fill()
    {
        using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        var piece = new byte[64 * 1024];
        try
        {
            while (true) file.Write(piece);
        }
        catch (IOException) when (new DriveInfo(Folder).AvailableFreeSpace == 0)
        {
            // full
        }
    }

    /// <summary>Gives the room back.</summary>
    public void Free() => File.Delete(Ballast);

    /// <summary>Unmounts it, also when somebody still has a file open in it. What was written to it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Mounts().Any(mount => mount.Folder == Folder && mount.Source.StartsWith(OwnName.Prefix, StringComparison.Ordinal))) await UnmountAsync(Folder);
    }

    private static Task UnmountAsync(string folder) => MissingPrivilege.RunAsync("Unmounting a tmpfs", ["sh", "-c", """umount "$1" 2>/dev/null || umount -l "$1" """, "sh", folder]);

    // 63 27 0:49 / /folder rw,relatime - tmpfs SOURCE rw,size=4096k     (there may be more fields before the dash)
    private static List<(string Folder, string Source)> Mounts() =>
        [.. File.ReadLines("/proc/self/mountinfo")
            .Select(line => line.Split(" - "))
            .Select(halves => (Unescaped(halves[0].Split(' ')[4]), halves[1].Split(' ')[1]))];

    // A space is written \040.
    private static string Unescaped(string path) => Octal().Replace(path, match => $"{(char)Convert.ToInt32(match.Groups[1].Value, 8)}");

    [GeneratedRegex(@"\\([0-7]{3})")]
    private static partial Regex Octal();
}
