using System.Net.Sockets;

namespace QueueScale.Faults;

/// <summary>One connection through a <see cref="TcpProxy"/>: two sockets, and a pump for each direction.</summary>
internal sealed class ProxyConnection(TcpProxy proxy, Socket client)
{
    private readonly Socket _target = new(proxy.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
    private readonly Lock _counting = new();
    private TcpProxy.Switched? _countedSince;
    private long _counted;
    private volatile bool _swallowed, _reset;

    public Task Ended { get; private set; } = Task.CompletedTask;

    public void Begin(Action ended, CancellationToken stop) => Ended = RunAsync(ended, stop);

    /// <summary>Does at once what a new mode means for a connection that may be waiting.</summary>
    public void Follow(ProxyMode mode)
    {
        if (mode is ProxyMode.Refuse || (_swallowed && mode is not ProxyMode.SwallowResponses)) Reset();
    }

    /// <summary>RST to both sides.</summary>
    public void Reset()
    {
        _reset = true;
        foreach (var socket in new[] { client, _target })
        {
            try
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // closed already
            }
            socket.Dispose();
        }
    }

    private async Task RunAsync(Action ended, CancellationToken stop)
    {
        try
        {
            await Task.Yield();
            if (proxy.Mode is ProxyMode.Refuse) return;
            await _target.ConnectAsync(proxy.Target, stop);
            client.NoDelay = _target.NoDelay = true;
            await Task.WhenAll(PumpAsync(client, _target, Direction.ToTarget, stop), PumpAsync(_target, client, Direction.ToClient, stop));
            client.Dispose(); // both sides have said that they are done
            _target.Dispose();
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side is gone, or we end: the other side hears of it by the reset.
        }
        finally
        {
            Reset();
            ended();
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Direction direction, CancellationToken stop)
    {
        try
        {
            var buffer = new byte[16 * 1024];
            for (var open = true; open;)
            {
                await WhileStoppedAsync(direction, stop);
                var length = await from.ReceiveAsync(buffer, stop);
                open = length > 0;
                if (open) await ForwardAsync(to, buffer.AsMemory(0, length), direction, stop);
                else
                {
                    await WhileHeldBackAsync(direction, stop);
                    to.Shutdown(SocketShutdown.Send);
                }
            }
        }
        catch (SocketException)
        {
            if (!_reset) await WhileHeldBackAsync(direction, stop);
            Reset(); // ends the other pump too
            throw;
        }
    }

    private async Task ForwardAsync(Socket to, ReadOnlyMemory<byte> rest, Direction direction, CancellationToken stop)
    {
        while (!rest.IsEmpty)
        {
            var now = proxy.Now;
            var part = rest;
            switch (now.Mode)
            {
                case ProxyMode.HalfOpen mode when mode.Stopped.HasFlag(direction):
                    await now.Over.Task.WaitAsync(stop);
                    continue;
                case ProxyMode.SwallowResponses when direction == Direction.ToClient:
                    _swallowed = true;
                    proxy.CountSwallowed(rest.Length);
                    if (proxy.Mode is not ProxyMode.SwallowResponses) Reset(); // switched meanwhile, too early to see what we did
                    return;
                case ProxyMode.Delay mode:
                    if (!await LastsAsync(now, mode.Next(), stop)) continue;
                    break;
                case ProxyMode.Bandwidth mode:
                    part = rest[..Math.Min(rest.Length, Math.Max(1, mode.BytesPerSecond / 20))];
                    if (!await LastsAsync(now, TimeSpan.FromSeconds((double)part.Length / mode.BytesPerSecond), stop)) continue;
                    break;
                case ProxyMode.ResetAfter mode when mode.Counted.HasFlag(direction):
                    part = rest[..Allowed(now, mode.Bytes, rest.Length, out var used)];
                    await SendAsync(to, part, direction, stop);
                    if (used) Reset();
                    rest = rest[part.Length..];
                    continue;
            }

            await SendAsync(to, part, direction, stop);
            rest = rest[part.Length..];
        }
    }

    private async Task SendAsync(Socket to, ReadOnlyMemory<byte> part, Direction direction, CancellationToken stop)
    {
        await to.SendAsync(part, stop);
        proxy.Count(direction, part.Length);
    }

    // How much may still go; both directions may share the count.
    private int Allowed(TcpProxy.Switched now, long limit, int length, out bool used)
    {
        lock (_counting)
        {
            if (!ReferenceEquals(_countedSince, now)) (_countedSince, _counted) = (now, 0);
            var allowed = (int)Math.Min(length, limit - _counted);
            _counted += allowed;
            used = _counted >= limit;
            return allowed;
        }
    }

    private async Task WhileStoppedAsync(Direction direction, CancellationToken stop)
    {
        while (proxy.Now is { Mode: ProxyMode.HalfOpen mode } now && mode.Stopped.HasFlag(direction)) await now.Over.Task.WaitAsync(stop);
    }

    // The end of a connection, or its reset, is news that a stopped direction does not bring either.
    private async Task WhileHeldBackAsync(Direction direction, CancellationToken stop)
    {
        await WhileStoppedAsync(direction, stop);
        while (direction == Direction.ToClient && proxy.Now is { Mode: ProxyMode.SwallowResponses } now) await now.Over.Task.WaitAsync(stop);
    }

    // False when the mode was over before the time was.
    private static async Task<bool> LastsAsync(TcpProxy.Switched now, TimeSpan time, CancellationToken stop)
    {
        await now.Over.Task.WaitAsync(time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.ThrowIfCancellationRequested();
        return !now.Over.Task.IsCompleted;
    }
}
