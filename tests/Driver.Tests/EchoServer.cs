using System.Net;
using System.Net.Sockets;

namespace QueueScale.Driver.Tests;

/// <summary>Sends back what it receives, and counts it.</summary>
internal sealed class EchoServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private long _received;
    private int _ended;

    public EchoServer()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public IPEndPoint Address => (IPEndPoint)_listener.LocalEndpoint;

    public long Received => Interlocked.Read(ref _received);

    /// <summary>Connections that are over.</summary>
    public int Ended => Volatile.Read(ref _ended);

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        while (true) _ = EchoAsync(await _listener.AcceptSocketAsync());
    }

    private async Task EchoAsync(Socket client)
    {
        using var _ = client;
        var buffer = new byte[64 * 1024];
        try
        {
            while (await client.ReceiveAsync(buffer) is > 0 and var length)
            {
                Interlocked.Add(ref _received, length);
                await client.SendAsync(buffer.AsMemory(0, length));
            }
        }
        finally
        {
            Interlocked.Increment(ref _ended);
        }
    }
}
