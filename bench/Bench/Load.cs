using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace QueueScale.Bench;

/// <summary>What a window of load brought.</summary>
public sealed record LoadResult(double PerSecond, double P50, double P99, int Refused)
{
    public override string ToString() => $"{PerSecond:0}/s, p50 {P50:0.0} ms, p99 {P99:0.0} ms{(Refused > 0 ? $", {Refused} refused" : "")}";
}

/// <summary>Sends requests over keep-alive connections, each as soon as the last was answered. A bare socket client, so that the client
/// takes as little of the machine as it can.</summary>
public static class Load
{
    /// <summary>Sends one body again and again.</summary>
    public static Task<LoadResult> RunAsync(Uri address, string path, string body, string? key, int connections, TimeSpan window) => RunAsync(
        address,
        [Encoding.UTF8.GetBytes($"POST {path} HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{Authorization(key)}\r\n{body}")],
        connections, window);

    /// <summary>Reads the paths in turn, again and again.</summary>
    public static Task<LoadResult> ReadAsync(Uri address, IEnumerable<string> paths, string key, int connections, TimeSpan window) =>
        RunAsync(address, [.. paths.Select(path => Encoding.UTF8.GetBytes($"GET {path} HTTP/1.1\r\nHost: {address.Authority}\r\n{Authorization(key)}\r\n"))], connections, window);

    private static string Authorization(string? key) => key is null ? "" : $"Authorization: Bearer {key}\r\n";

    private static async Task<LoadResult> RunAsync(Uri address, IReadOnlyList<byte[]> requests, int connections, TimeSpan window)
    {
        var next = -1;
        var end = Stopwatch.GetTimestamp() + (long)(window.TotalSeconds * Stopwatch.Frequency);
        var all = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => OneAsync(address, () => requests[(Interlocked.Increment(ref next) & int.MaxValue) % requests.Count], end))));
        var times = all.SelectMany(c => c.Times).Order().ToArray();
        return new LoadResult(times.Length / window.TotalSeconds, At(times, 0.50), At(times, 0.99), all.Sum(c => c.Refused));
    }

    public static double At(double[] sorted, double part) => sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(part * sorted.Length) - 1)];

    private static async Task<(List<double> Times, int Refused)> OneAsync(Uri address, Func<byte[]> request, long end)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(address.Host), address.Port));
        var buffer = new byte[16 * 1024];
        var times = new List<double>();
        var refused = 0;
        while (Stopwatch.GetTimestamp() is var begun && begun < end)
        {
            await socket.SendAsync(request());
            if (!await AnswerAsync(socket, buffer))
            {
                refused++;
            }

            times.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        return (times, refused);
    }

    /// <returns>Whether the answer was a success.</returns>
    private static async Task<bool> AnswerAsync(Socket socket, byte[] buffer)
    {
        for (var filled = 0; ;)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(filled));
            if (read == 0)
            {
                throw new IOException("The server closed the connection.");
            }

            filled += read;
            if (IsWhole(buffer.AsSpan(0, filled)))
            {
                return buffer[9] == '2';
            }
        }
    }

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var head = answer.IndexOf("\r\n\r\n"u8);
        if (head < 0)
        {
            return false;
        }

        var length = answer[..head].IndexOf("Content-Length: "u8);
        if (length < 0)
        {
            return answer.EndsWith("0\r\n\r\n"u8);
        }

        var digits = answer[(length + 16)..];
        return answer.Length >= head + 4 + int.Parse(digits[..digits.IndexOf((byte)'\r')], null);
    }
}
