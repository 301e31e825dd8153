using System.Net;
using System.Net.Sockets;

namespace QueueScale.Local.Tests;

public sealed class Folders : IAsyncDisposable
{
    private readonly FolderForTest _test = new();

    private RunFolder Folder => _test.Folder;

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task The_lock_is_held_by_one_at_a_time_and_the_others_are_told_that_they_wait()
    {
        var first = await Folder.LockAsync();
        var told = new TaskCompletionSource<string>();
        var second = Folder.LockAsync((_, text) => told.TrySetResult(text));

        Assert.Contains(Folder.FullPath, await told.Task.WaitAsync(TimeSpan.FromSeconds(10)), StringComparison.Ordinal);
        Assert.False(second.IsCompleted);
        first.Dispose();
        (await second.WaitAsync(TimeSpan.FromSeconds(10))).Dispose();
    }

    [Fact]
    public async Task Many_who_take_the_lock_and_wipe_the_folder_never_hold_it_together()
    {
        var inside = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 40), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, cancellation) =>
        {
            using var held = await Folder.LockAsync(cancellation: cancellation);
            Assert.Equal(1, Interlocked.Increment(ref inside));
            await Task.Delay(1, cancellation);
            Interlocked.Decrement(ref inside);
            RunFolderEnd.Wipe(Folder);
        });
    }

    [Fact]
    public void Ports_and_secrets_are_remembered()
    {
        Folder.Create();
        var port = Folder.Remembered.FreePortFor("api");
        var secret = Folder.Remembered.Secret("api-key", prefix: "qs_");

        Assert.InRange(port, 20_000, 31_999);
        Assert.StartsWith("qs_", secret, StringComparison.Ordinal);
        Assert.Equal(port, Folder.Remembered.FreePortFor("api"));
        Assert.Equal(secret, Folder.Remembered.Secret("api-key"));
    }

    [Fact]
    public void A_remembered_port_that_somebody_else_took_is_replaced()
    {
        Folder.Create();
        var port = Folder.Remembered.FreePortFor("api");
        using var foreign = new TcpListener(IPAddress.Any, port);
        foreign.Start();

        var other = Folder.Remembered.FreePortFor("api");
        Assert.NotEqual(port, other);
        Assert.Equal(other, Folder.Remembered.KnownPort("api"));
    }

    [Fact]
    public void Settings_are_for_their_owner_only()
    {
        Folder.Create();
        Folder.Remembered.Secret("postgres");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Folder.SettingsFile));
    }
}
