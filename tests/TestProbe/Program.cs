using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

// A small process for the tests of the fault driver to break. It prints one line for each thing it does, until it is killed.
switch (args)
{
    case ["clocks"]:
        // Both clocks every 200 ms, in milliseconds. Half of it is waited by a timer, half by a blocked thread.
        while (true)
        {
            var wall = (long)(DateTime.UtcNow - DateTime.UnixEpoch).TotalMilliseconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{wall} {Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1000)}"));
            await Task.Delay(100);
            Thread.Sleep(100);
        }

    case ["connect", var host, var port]:
        // A connection every 200 ms, each with a byte that must come back; a second without an answer counts as none.
        while (true)
        {
            Console.WriteLine(await TalkAsync(host, int.Parse(port, CultureInfo.InvariantCulture)));
            await Task.Delay(200);
        }

    default:
        return 2;
}

static async Task<string> TalkAsync(string host, int port)
{
    using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
    try
    {
        using var client = new TcpClient();
        await client.ConnectAsync(host, port, limit.Token);
        await client.GetStream().WriteAsync(new byte[1], limit.Token);
        return await client.GetStream().ReadAsync(new byte[1], limit.Token) == 1 ? "answered" : "closed";
    }
    catch (SocketException error)
    {
        return $"{error.SocketErrorCode}";
    }
    catch (OperationCanceledException)
    {
        return "silence";
    }
}
