using System.Net;
using System.Net.Sockets;

namespace QueueScale.Tests;

/// <summary>Callers that connect and say nothing, or a byte now and then, keep nobody else out.</summary>
[Collection(OneApi.Name)]
public sealed class IdleSocketTests(RunningApi api)
{
    private const int Idle = 10_000;
    private const int Slow = 500;

    [Fact]
    public async Task Ten_thousand_idle_sockets_and_hundreds_of_slow_ones_keep_nobody_out()
    {
        var sockets = new List<Socket>();
        try
        {
            while (sockets.Count < Idle + Slow)
            {
                sockets.AddRange(await Task.WhenAll(Enumerable.Range(0, 250).Select(_ => ConnectAsync())));
            }

            var slow = sockets[^Slow..];
            foreach (var letter in "POST /v1/jobs HTTP/1.1\r\nX: "u8.ToArray())
            {
                foreach (var socket in slow)
                {
                    await socket.SendAsync(new[] { letter });
                }

                var begun = TimeProvider.System.GetTimestamp();
                using var fresh = api.NewClient(); // a connection of its own
                using var answer = await fresh.GetAsync(new Uri("v1/jobs", UriKind.Relative));
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 0, 2);
            }

            Assert.All(sockets, socket => Assert.False(socket.Poll(0, SelectMode.SelectRead), "It was cut off: the rest had fewer to bear."));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, api.Url.Port);
        return socket;
    }
}
