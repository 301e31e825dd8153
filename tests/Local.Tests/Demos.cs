using System.Net.Sockets;
using System.Text.Json;

namespace QueueScale.Local.Tests;

/// <summary><c>demo</c> as a program, on a real system.</summary>
[Collection<OnOneSystem>]
public sealed class Demos(RunningSystem running)
{
    private const int Rows = 300_000;

    private readonly CommandLineProgram cli = running.Cli;

    [Theory]
    [InlineData("--json")]
    [InlineData("--json", "--kill")]
    public async Task A_file_is_handed_over_half_way_and_each_row_is_there_once(params string[] options)
    {
        var demo = await cli.JsonAsync(["demo", await OrdersAsync(Rows), .. options]);
        AssertAllIsWell(demo);
        Assert.Equal(2, demo.GetProperty("workers").EnumerateArray().Select(worker => worker.GetString()).Distinct().Count());
        Assert.True(demo.GetProperty("handovers").GetInt32() >= 1);
        Assert.InRange(demo.GetProperty("handoverSeconds").GetDouble(), 0.0001, 60);
        Assert.InRange(demo.GetProperty("seconds").GetDouble(), demo.GetProperty("handoverSeconds").GetDouble(), 90);
        Assert.Equal(2, (await cli.JsonAsync("workers", "--json")).GetProperty("items").GetArrayLength()); // the stopped one is back
    }

    [Fact]
    public async Task A_file_that_is_done_before_half_of_it_could_be_caught_fails_the_demo() => await AssertTooSmallAsync(await OrdersAsync(10), 10);

    [Fact]
    public async Task The_imports_of_demos_that_were_killed_are_cancelled_before_the_next_one()
    {
        var file = await OrdersAsync(Rows);
        using (var killed = cli.Begin("demo", file, "--json"))
        {
            while (await killed.StandardError.ReadLineAsync() is { } line && !line.StartsWith("csv.import", StringComparison.Ordinal)) { }
            killed.Kill();
            await killed.WaitForExitAsync();
        }

        // One more that is not done, however slow the next demo comes up.
        var later = await cli.JsonAsync("submit", "csv.import", "--input", """{"source": "file:demo.csv", "table": "demo"}""", "--tag", "queuescale-demo", "--delay", "PT1H", "--json");

        AssertAllIsWell(await cli.JsonAsync("demo", file, "--json"));
        Assert.Equal("cancelled", (await cli.RunAsync("watch", later.GetProperty("id").GetString()!, "--json")).With(1).Json.GetProperty("state").GetString());
    }

    [Fact]
    public async Task The_file_may_be_the_copy_that_an_earlier_demo_made_also_by_a_link()
    {
        var copy = await OrdersAsync(20, Path.Combine(running.Folder.DataRoot, "demo.csv"));
        var link = Path.Combine(running.Folder.FullPath, "link.csv");
        File.CreateSymbolicLink(link, copy);

        await AssertTooSmallAsync(copy, 20);
        await AssertTooSmallAsync(link, 20);
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_is_wrong_use()
    {
        var path = Path.Combine(running.Folder.FullPath, "socket.csv"); // not even root can open it
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));

        var error = (await cli.RunAsync("demo", path)).With(2).Error;
        Assert.Matches($"^{path} cannot be read: .+ Name another file, or let this user read it .+\n$", error);
    }

    /// <summary>Imported as it is, but nothing was handed over.</summary>
    private async Task AssertTooSmallAsync(string file, int rows)
    {
        var demo = (await cli.RunAsync("demo", file, "--json")).With(1);
        Assert.Equal((0, rows, true), (demo.Json.GetProperty("handovers").GetInt32(), demo.Json.GetProperty("rows").GetInt32(), demo.Json.GetProperty("checksumOk").GetBoolean()));
        var why = demo.Json.GetProperty("error").GetString()!;
        Assert.EndsWith($"nothing was handed over. Take a larger file than {rows} rows.", why, StringComparison.Ordinal);
        Assert.EndsWith($"\n{why}\n", demo.Error, StringComparison.Ordinal);
    }

    private static void AssertAllIsWell(JsonElement demo)
    {
        Assert.Equal("succeeded", demo.GetProperty("state").GetString());
        Assert.Equal((Rows, Rows, true), (demo.GetProperty("rows").GetInt32(), demo.GetProperty("expectedRows").GetInt32(), demo.GetProperty("checksumOk").GetBoolean()));
        Assert.False(demo.TryGetProperty("error", out _));
    }

    private async Task<string> OrdersAsync(int rows, string? path = null)
    {
        path ??= Path.Combine(running.Folder.FullPath, $"orders-{rows}.csv");
        File.Delete(path);
        await OrdersFile.WriteAsync(path, rows);
        return path;
    }
}
