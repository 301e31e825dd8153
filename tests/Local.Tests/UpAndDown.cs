using System.Diagnostics;

namespace QueueScale.Local.Tests;

/// <summary>The command line as a program, on real servers.</summary>
public sealed class UpAndDown : IAsyncDisposable
{
    private readonly FolderForTest _test = new();
    private readonly CommandLineProgram _cli;

    public UpAndDown() => _cli = new(_test.Folder);

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task What_a_killed_up_left_is_taken_over_and_down_wipe_leaves_nothing()
    {
        // Killed while RabbitMQ starts.
        using (var killed = _cli.Begin("up", "--detach"))
        {
            await UntilAsync(() => LocalProcess.Find(_test.Folder, "rabbitmq") is not null);
            killed.Kill();
            await killed.WaitForExitAsync();
        }
        var left = LocalProcess.Find(_test.Folder, "rabbitmq")!.Pid;

        var up = await _cli.JsonAsync("up", "--detach", "--json", "--workers", "1");
        Assert.Equal(left, LocalProcess.Find(_test.Folder, "rabbitmq")!.Pid);
        var worker = up.GetProperty("workers")[0];
        Assert.Equal("worker-1", worker.GetProperty("name").GetString());
        Assert.StartsWith("qs_", up.GetProperty("key").GetString(), StringComparison.Ordinal);

        // A worker that was killed is started again, everything else stays.
        LocalProcess.Find(_test.Folder, "worker-1")!.Signal(Signal.Kill);
        var again = await _cli.JsonAsync("up", "--detach", "--json");
        Assert.NotEqual(worker.GetProperty("pid").GetInt32(), Assert.Single(again.GetProperty("workers").EnumerateArray()).GetProperty("pid").GetInt32());
        Assert.Equal(worker.GetProperty("url").GetString(), again.GetProperty("workers")[0].GetProperty("url").GetString());
        Assert.Equal(up.GetProperty("apis").ToString(), again.GetProperty("apis").ToString());

        await _cli.JsonAsync("down", "--wipe", "--json");
        Assert.False(_test.Folder.Exists);
        Assert.Empty(_test.Processes());
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); !condition(); await Task.Delay(10)) Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
    }
}
