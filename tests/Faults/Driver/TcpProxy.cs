using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace QueueScale.Faults;

/// <summary>Stands between two processes and spoils what they say to each other. Begins with <see cref="ProxyMode.Pass"/>.</summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ProxyConnection, byte> _open = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<IPEndPoint> _target;
    private readonly Lock _switching = new();
    private readonly Socket _listener;
    private readonly Task _accepting;
    private volatile Switched _now = new(new ProxyMode.Pass());
    private long _connections, _toTarget, _toClient, _swallowed;

    private TcpProxy(Func<IPEndPoint> target, IPEndPoint listen)
    {
        _target = target;
        _listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(listen);
        _listener.Listen(1024);
        Address = (IPEndPoint)_listener.LocalEndPoint!;
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address { get; }

    /// <summary>Where it forwards to.</summary>
    public IPEndPoint Target => _target();

    /// <summary>What it does now.</summary>
    public ProxyMode Mode => Now.Mode;

    /// <summary>Connections accepted so far, also those that were cut at once.</summary>
    public long Connections => Interlocked.Read(ref _connections);

    /// <summary>Connections open now.</summary>
    public int Open => _open.Count;

    /// <summary>Bytes forwarded to the target.</summary>
    public long BytesToTarget => Interlocked.Read(ref _toTarget);

    /// <summary>Bytes forwarded to clients.</summary>
    public long BytesToClient => Interlocked.Read(ref _toClient);

    /// <summary>Bytes of answers that were dropped.</summary>
    public long BytesSwallowed => Interlocked.Read(ref _swallowed);

    internal Switched Now => _now;

    /// <summary>Starts one.</summary>
    /// <param name="target">Where it forwards to. It need not listen yet; where it does not, clients are reset.</param>
    /// <param name="listen">127.0.0.1 and a free port unless given.</param>
    public static TcpProxy Start(IPEndPoint target, IPEndPoint? listen = null) => new(() => target, listen ?? new IPEndPoint(IPAddress.Loopback, 0));

    /// <summary>Starts one in front of a server on 127.0.0.1, whose port may be another one after a restart.</summary>
    public static TcpProxy Start(Func<int> port, IPAddress? listen = null) =>
        new(() => new IPEndPoint(IPAddress.Loopback, port()), new IPEndPoint(listen ?? IPAddress.Loopback, 0));

    /// <summary>Changes what it does, for open connections and new ones.</summary>
    /// <remarks>What is held goes on under the new mode: a slow or stopped connection has lost nothing and resumes. One of which an answer was swallowed is
    /// cut with RST, because its client would read the rest of the stream as something else.</remarks>
    public void Switch(ProxyMode mode)
    {
        lock (_switching)
        {
            var before = _now;
            _now = new Switched(mode);
            before.Over.SetResult();
        }

        foreach (var connection in _open.Keys) connection.Follow(mode);
    }

    /// <summary>Cuts all open connections with RST. The mode stays.</summary>
    public void ResetAll()
    {
        foreach (var connection in _open.Keys) connection.Reset();
    }

    /// <summary>Cuts everything and ends; when it returns no socket and no task is left.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        ResetAll();
        await Task.WhenAll(_open.Keys.Select(connection => connection.Ended));
    }

    internal void Count(Direction direction, int bytes) => Interlocked.Add(ref direction == Direction.ToTarget ? ref _toTarget : ref _toClient, bytes);

    internal void CountSwallowed(int bytes) => Interlocked.Add(ref _swallowed, bytes);

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync(_stop.Token);
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                continue; // the client has gone already, or we end
            }

            Interlocked.Increment(ref _connections);
            var connection = new ProxyConnection(this, client);
            _open.TryAdd(connection, 0);
            connection.Begin(ended: () => _open.TryRemove(connection, out _), _stop.Token);
        }
    }

    /// <summary>A mode, and the moment it is over.</summary>
    internal sealed record Switched(ProxyMode Mode)
    {
        public TaskCompletionSource Over { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
