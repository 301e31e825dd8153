using System.Net.Sockets;
using System.Text;
using QueueScale.Contracts;

namespace QueueScale.Faults;

/// <summary>What nobody of us would send.</summary>
internal static class MalformedInput
{
    public static async Task<IReadOnlyList<Measured>> RequestsAsync(Aim aim)
    {
        await aim.StartApiAsync();
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        var api = aim.Ground.Apis[0];
        var pid = api.Process.Pid;
        var log = LogOf.Member(aim, api);
        var chance = new Random(1);
        var (answers, serverErrors) = (0, new List<string>());
        for (var i = 0; i < 1000; i++)
        {
            var request = MalformedRequest(chance, i);
            using var socket = new TcpClient();
            await socket.ConnectAsync("127.0.0.1", api.Url.Port);
            await socket.Client.SendAsync(request);
            if (i % 10 == 0 || i % 7 == 3)
            {
                socket.Client.Shutdown(SocketShutdown.Send); // the rest never comes
            }

            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
            var buffer = new byte[4096];
            var read = 0;
            try
            {
                read = await socket.Client.ReceiveAsync(buffer, limit.Token);
            }
            catch (SocketException)
            {
                // cut off, as it may be
            }

            var status = Encoding.ASCII.GetString(buffer, 0, Math.Min(read, 12));
            answers += read > 0 ? 1 : 0;
            if (status.StartsWith("HTTP/1.1 5", StringComparison.Ordinal))
            {
                serverErrors.Add($"{status}: {Encoding.Latin1.GetString(request, 0, Math.Min(200, request.Length))}");
            }
        }

        return
        [
            new("1,000 malformed HTTP requests: 5xx", $"{serverErrors.Count} of {answers} answered {serverErrors.FirstOrDefault()}", "0", serverErrors.Count == 0),
            new("the API is the same process", $"{api.Process.IsRunning && api.Process.Pid == pid}", "True", api.Process.IsRunning && api.Process.Pid == pid),
            new("lines in its log", $"{log.Count(3003, 3004)}", "1,000: one for each", log.Count(3003, 3004) == 1000),
            new("jobs made of them", $"{await aim.Ground.ScalarAsync<long>("select count(*) from jobs")}", "0", await aim.Ground.ScalarAsync<long>("select count(*) from jobs") == 0),
        ];
    }

    /// <summary>Messages in a lane's queue that are no wake-ups, or void ones.</summary>
    public static async Task<IReadOnlyList<Measured>> MessagesAsync(Aim aim)
    {
        const int Huge = 50 << 20;
        await aim.StartApiAsync();
        var worker = await aim.StartWorkerAsync("", Measurement.UsualLease);
        await aim.SubmitAsync(60, aim.Steps(100, milliseconds: 100));
        await aim.UntilRunningAsync(60);
        var (pid, log) = (worker.Process.Pid, LogOf.Member(aim, worker));
        var (unreadable, harmless) = Malformed.Messages(await aim.Ground.RowsAsync("select id::text from jobs limit 5"));
        foreach (var body in (byte[][])[.. unreadable, .. harmless, new byte[Huge]])
        {
            await Malformed.PublishAsync(aim.Ground.Broker, QueueName.Physical("default", QueueName.Normal), body);
            await Task.Delay(TimeSpan.FromSeconds(1.5)); // void ones that come together share a line
        }

        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(1));
        var sent = unreadable.Count + harmless.Count + 1;
        var (aside, waiting) = (0L, 0L);
        await Ground.UntilAsync(async () =>
        {
            var queues = await Witness.BrokerQueuesAsync(aim.Ground.Broker);
            aside = queues.Where(q => q.Name.EndsWith("_error", StringComparison.Ordinal) || q.Name.EndsWith("_skipped", StringComparison.Ordinal)).Sum(q => q.Ready);
            waiting = queues.Sum(q => q.Ready + q.Unacked) - aside;
            return aside == unreadable.Count + 1 && waiting == 0;
        }, TimeSpan.FromSeconds(20));
        var well = await aim.Ground.ScalarAsync<long>("select count(*) from jobs where state = 5 and epoch = 1");
        return
        [
            new($"{sent} malformed messages, one of 50 MB: the worker is the same process", $"{worker.Process.Pid == pid}", "True", worker.Process.Pid == pid),
            new("messages that go round or wait", $"{waiting}", "0", waiting == 0),
            new("unreadable ones set aside", $"{aside} of {unreadable.Count + 1}", "all", aside == unreadable.Count + 1),
            new("lines in its log", $"{log.Count(2023, 2024, 4104)}", $"{sent}: one for each", log.Count(2023, 2024, 4104) == sent),
            new("jobs beside them", $"{well} of 60 succeeded at once", "60", well == 60),
        ];
    }

    private static byte[] MalformedRequest(Random chance, int number)
    {
        var good = """{"type": "probe.noop", "input": {}}""";
        byte[] body = (number % 10) switch
        {
            0 => Encoding.UTF8.GetBytes(good[..chance.Next(1, good.Length)]), // truncated, and so is its length
            1 => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", chance.Next(65, 5000)))),
            2 => Encoding.UTF8.GetBytes($$"""{"type": "probe.noop", "input": "{{new string('x', chance.Next(262_145, 400_000))}}"}"""),
            3 => Encoding.UTF8.GetBytes($$"""{"type": {{chance.Next()}}, "input": []}"""),
            4 => [.. Encoding.UTF8.GetBytes("{\"type\": \"probe"), 0xff, (byte)chance.Next(128, 256), .. Encoding.UTF8.GetBytes("\"}")],
            5 => Encoding.UTF8.GetBytes("""{"type": "probe.noop", "tags": ["a\u0000b"]}"""),
            6 => Encoding.UTF8.GetBytes("""{"type": "probe.noop", "type": "probe.noop"}"""),
            7 => Encoding.UTF8.GetBytes($$"""{"type": "probe.noop", "maxAttempts": 1e{{chance.Next(20, 400)}}}"""),
            8 => Encoding.UTF8.GetBytes("null"),
            _ => [.. Enumerable.Range(0, chance.Next(1, 500)).Select(_ => (byte)chance.Next(256))],
        };
        var length = number % 10 == 0 ? good.Length : body.Length;
        var head = number % 7 == 3
            ? $"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Ground.Key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{body.Length:x}\r\n"
            : $"POST /v1/jobs{(number % 3 == 0 ? "/batch" : "")} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {Ground.Key}\r\nContent-Type: {(number % 13 == 5 ? "text/plain" : "application/json")}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. body];
    }

    /// <summary>What a process writes to its log from now on.</summary>
    private sealed class LogOf(string path, long from)
    {
        public static LogOf Member(Aim aim, Member member)
        {
            var path = Path.Combine(aim.Ground.Folder.Logs, $"{member.Name}.log");
            return new LogOf(path, new FileInfo(path).Length);
        }

        /// <summary>Lines of these events.</summary>
        public int Count(params int[] events)
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            file.Position = from;
            using var reader = new StreamReader(file);
            return reader.ReadToEnd().Split('\n').Count(line => events.Any(e => line.Contains($"\"EventId\":{{\"Id\":{e},", StringComparison.Ordinal)));
        }
    }
}
