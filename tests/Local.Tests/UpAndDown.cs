using System.Diagnostics;
using System.Text.Json;

namespace QueueScale.Local.Tests;

/// <summary>The command line as a program, on real servers.</summary>
public sealed class UpAndDown : IAsyncDisposable
{
    private readonly FolderForTest _test = new();

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task What_a_killed_up_left_is_taken_over_and_down_wipe_leaves_nothing()
    {
        // Killed while RabbitMQ starts.
        using (var killed = Begin("up", "--detach"))
        {
            await UntilAsync(() => LocalProcess.Find(_test.Folder, "rabbitmq") is not null);
            killed.Kill();
            await killed.WaitForExitAsync();
        }
        var left = LocalProcess.Find(_test.Folder, "rabbitmq")!.Pid;

        var up = await RunAsync("up", "--detach", "--json", "--workers", "1");
        Assert.Equal(left, LocalProcess.Find(_test.Folder, "rabbitmq")!.Pid);
        var worker = up.GetProperty("workers")[0];
        Assert.Equal("worker-1", worker.GetProperty("name").GetString());
        Assert.StartsWith("qs_", up.GetProperty("key").GetString(), StringComparison.Ordinal);

        // A worker that was killed is started again, everything else stays.
        LocalProcess.Find(_test.Folder, "worker-1")!.Signal(Signal.Kill);
        var again = await RunAsync("up", "--detach", "--json");
        Assert.NotEqual(worker.GetProperty("pid").GetInt32(), Assert.Single(again.GetProperty("workers").EnumerateArray()).GetProperty("pid").GetInt32());
        Assert.Equal(worker.GetProperty("url").GetString(), again.GetProperty("workers")[0].GetProperty("url").GetString());
        Assert.Equal(up.GetProperty("apis").ToString(), again.GetProperty("apis").ToString());

        await RunAsync("down", "--wipe", "--json");
        Assert.False(_test.Folder.Exists);
        Assert.Empty(_test.Processes());
    }

    private async Task<JsonElement> RunAsync(params string[] arguments)
    {
        using var process = Begin(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', arguments)} ended with {process.ExitCode}: {error}");
        return JsonElement.Parse(await output);
    }

    private Process Begin(params string[] arguments)
    {
        var info = new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf("QueueScale.Cli"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment["QUEUESCALE_ROOT"] = Checkout.Root;
        info.Environment["QUEUESCALE_RUN"] = _test.Folder.FullPath;
        return Process.Start(info)!;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); !condition(); await Task.Delay(10)) Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20));
    }
}
