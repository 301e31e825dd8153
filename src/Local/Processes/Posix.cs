using System.Runtime.InteropServices;

namespace QueueScale.Local;

/// <summary>The few system calls that .NET does not offer.</summary>
internal static partial class Posix
{
    public static bool IsRoot { get; } = geteuid() == 0;

    /// <summary>Sends a signal; a process that is gone already is no error.</summary>
    public static void Kill(int pid, Signal signal)
    {
        const int noSuchProcess = 3;
        if (kill(pid, (int)signal) != 0 && Marshal.GetLastPInvokeError() is var error and not noSuchProcess)
        {
            throw new LocalProblem($"Cannot send {signal} to process {pid}: {Marshal.GetPInvokeErrorMessage(error)}. It may belong to another user.");
        }
    }

    public static void ChangeOwner(string path, OsUser user)
    {
        if (chown(path, (uint)user.Uid, (uint)user.Gid) != 0)
        {
            throw new LocalProblem($"Cannot give {path} to user {user.Name}: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
