using System.Diagnostics;
using System.Text;
using System.Text.Json;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Local.Tests;

/// <summary><c>top</c> as a program, on a real system and a real terminal.</summary>
public sealed class TopView : IAsyncDisposable
{
    private static readonly string[] Titles = ["QUEUES", "WORKERS", "HAND-OVERS"];

    private readonly FolderForTest test = new();
    private readonly CommandLineProgram cli;

    public TopView() => cli = new(test.Folder);

    public ValueTask DisposeAsync() => test.DisposeAsync();

    [Fact]
    public async Task It_shows_the_system_and_its_hand_overs_and_outlives_the_API()
    {
        Assert.Contains("./queuescale up", (await cli.RunAsync("top")).With(1).Error, StringComparison.Ordinal);

        await cli.OutputAsync("up", "--detach", "--json", "--workers", "2");
        var empty = await SnapshotAsync();
        Assert.Equal((2, 0), (empty.GetProperty("workers").GetArrayLength(), empty.GetProperty("handOvers").GetArrayLength()));

        using (var client = new QueueScaleClient(new Uri(new LocalSystem(test.Folder).Find()!.Api), new LocalSystem(test.Folder).Find()!.Key))
        {
            for (var job = 0; job < 8; job++)
            {
                await client.SubmitAsync(new SubmitJob { Type = "probe.sleep", Input = JsonElement.Parse("""{"seconds": 600, "steps": 6000}""") });
            }
        }

        await UntilAsync(async () => Rows(await SnapshotAsync(), "workers").All(worker => worker.GetProperty("busy").GetInt32() > 0));
        LocalProcess.Find(test.Folder, "worker-1")!.Signal(Signal.Terminate);
        JsonElement now = default;
        await UntilAsync(async () => Rows(now = await SnapshotAsync(), "workers").Count() == 1 && Rows(now, "handOvers").Any()
            && Rows(now, "workers").Single().GetProperty("busy").GetInt32() == 8); // as its next pulse says
        Assert.All(Rows(now, "handOvers"), handOver =>
        {
            Assert.Equal(("worker-1", "interrupted", "worker-2", "probe.sleep"), (Text(handOver, "from"), Text(handOver, "how"), Text(handOver, "to"), Text(handOver, "type")));
            Assert.InRange(handOver.GetProperty("seconds").GetDouble(), 0.001, 20);
        });
        var queue = Rows(now, "queues").Single(of => Text(of.GetProperty("queue"), "name") == "default");
        Assert.Equal("working", Text(queue, "status"));
        Assert.True(queue.GetProperty("queue").GetProperty("rates").GetProperty("queuedPerSecond").GetDouble() >= 0);

        var once = await cli.OutputAsync("top", "--once");
        Assert.Equal(Titles, once.Split('\n').Where(Titles.Contains));
        Assert.Matches("(?m)^default +working +0 +8 ", once);
        Assert.Matches("(?m)^worker-2 +working +8 of 32 ", once);
        Assert.Matches("(?m) s +worker-1 +interrupted +worker-2 +probe.sleep +[0-9a-f-]{36}$", once);
        Assert.DoesNotContain('\e', once);
        Assert.Equal(Titles, (await cli.OutputAsync("top")).Split('\n').Where(Titles.Contains)); // where the output is no terminal

        await LiveAsync();
    }

    /// <summary>The API is killed and started again under the live view, which is then ended by each of its two keys.</summary>
    private async Task LiveAsync()
    {
        using (var screen = new Screen(cli))
        {
            await screen.ShowsAsync("interrupted");
            LocalProcess.Find(test.Folder, "api")!.Signal(Signal.Kill);
            await screen.ShowsAsync("no answer since");
            await cli.OutputAsync("up", "--detach", "--json");
            await screen.ShowsAsync("q or Ctrl-C ends it");
            Assert.Equal(0, await screen.EndAsync("q"));
        }

        using (var screen = new Screen(cli))
        {
            await screen.ShowsAsync("q or Ctrl-C ends it");
            Assert.Equal(0, await screen.EndAsync("\u0003"));
        }

        // A terminal that is closed ends it, too.
        using (var screen = new Screen(cli))
        {
            await screen.ShowsAsync("q or Ctrl-C ends it");
            screen.Close();
        }

        await UntilAsync(() => Task.FromResult(!ProcessStat.All().Any(process => process.IsAlive && IsTop(process.Pid))));
    }

    private bool IsTop(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline").EndsWith("Cli.dll\0top\0", StringComparison.Ordinal) && File.ReadAllText($"/proc/{pid}/environ").Contains(test.Folder.FullPath, StringComparison.Ordinal);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private Task<JsonElement> SnapshotAsync() => cli.JsonAsync("top", "--json");

    private static IEnumerable<JsonElement> Rows(JsonElement snapshot, string of) => snapshot.GetProperty(of).EnumerateArray();

    private static string? Text(JsonElement row, string member) => row.GetProperty(member).GetString();

    private static async Task UntilAsync(Func<Task<bool>> condition, Func<string>? otherwise = null)
    {
        for (var clock = Stopwatch.StartNew(); !await condition(); await Task.Delay(50))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), otherwise?.Invoke());
        }
    }

    /// <summary><c>top</c> on a terminal of 120 columns and 30 lines.</summary>
    private sealed class Screen : IDisposable
    {
        private readonly Process script;
        private readonly StringBuilder shown = new();
        private readonly Task reading;

        public Screen(CommandLineProgram cli)
        {
            // Who is started in the background by a shell inherits that SIGINT is ignored.
            script = Process.Start(cli.Start("script", "--quiet", "--flush", "--return", "--command", $"stty cols 120 rows 30; exec env --default-signal=INT '{Dotnet.Host}' '{Checkout.ProgramOf("QueueScale.Cli")}' top", "/dev/null"))!;
            reading = ReadAsync();
        }

        /// <summary>Waits until a text is drawn that was not there when this was called.</summary>
        public Task ShowsAsync(string text)
        {
            var from = Shown().Length;
            return UntilAsync(() => Task.FromResult(Shown()[from..].Contains(text, StringComparison.Ordinal)));
        }

        /// <returns>The exit code.</returns>
        public async Task<int> EndAsync(string key)
        {
            await script.StandardInput.WriteAsync(key);
            await script.StandardInput.FlushAsync();
            await UntilAsync(() => Task.FromResult(script.HasExited), () => $"It has not ended. What it shows: {Shown()[^Math.Min(2000, Shown().Length)..].Replace('\e', '^')}\nWhat runs: {string.Join('\n', ProcessStat.All().Where(process => process.IsAlive))}");
            await reading;
            return script.ExitCode;
        }

        public void Close() => script.Kill();

        public void Dispose()
        {
            script.Kill();
            script.Dispose();
        }

        private string Shown()
        {
            lock (shown)
            {
                return shown.ToString();
            }
        }

        private async Task ReadAsync()
        {
            var piece = new char[4096];
            while (await script.StandardOutput.ReadAsync(piece) is > 0 and var read)
            {
                lock (shown)
                {
                    shown.Append(piece, 0, read);
                }
            }
        }
    }
}
