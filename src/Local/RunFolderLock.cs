namespace QueueScale.Local;

/// <summary>An advisory lock on a run folder. The kernel frees it when its holder dies.</summary>
internal static class RunFolderLock
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static async Task<IDisposable> TakeAsync(RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        for (var told = false; ; await Task.Delay(Pause, cancellation))
        {
            if (TryTake(folder) is { } taken)
            {
                folder.Create();
                return taken;
            }
            if (told) continue;
            tell?.Invoke("waiting", $"for another command that works on {folder}");
            told = true;
        }
    }

    private static FileStream? TryTake(RunFolder folder)
    {
        FileStream file;
        try
        {
            RunFolder.CreateFolder(folder.FullPath); // the holder before us may have wiped it
            file = new FileStream(folder.LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception error) when (error is IOException and not PathTooLongException)
        {
            return null; // held by somebody else, or the folder vanished in between
        }
        catch (UnauthorizedAccessException error)
        {
            throw new LocalProblem($"No permission to write in {folder}. It may belong to another user: remove it as that user, or work as them.", error);
        }

        // A wipe may have deleted the file between our opening and locking it; then what we hold locks nobody out.
        if (new FileInfo($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}").LinkTarget?.EndsWith(" (deleted)", StringComparison.Ordinal) == true)
        {
            file.Dispose();
            return null;
        }
        return file;
    }
}
