using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace QueueScale.Driver.Tests;

public sealed class TcpProxyTests : IAsyncDisposable
{
    private readonly EchoServer _server = new();
    private readonly TcpProxy _proxy;
    private readonly List<Socket> _clients = [];

    public TcpProxyTests() => _proxy = TcpProxy.Start(_server.Address);

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) client.Dispose();
        await _proxy.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task Everything_passes_until_told_otherwise_and_is_counted()
    {
        var client = await ConnectAsync();
        await client.SendAsync(new byte[100]);
        Assert.Equal(100, await ReadAsync(client, 100));
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1])); // the end goes through both ways
        await Waiting.UntilAsync(() => _proxy.Open == 0);
        Assert.Equal((1, 100, 100, 0), (_proxy.Connections, _proxy.BytesToTarget, _proxy.BytesToClient, _proxy.BytesSwallowed));
    }

    [Fact]
    public async Task After_so_many_bytes_of_answer_the_connection_is_reset()
    {
        var client = await ConnectAsync();
        await client.SendAsync(new byte[50]);
        Assert.Equal(50, await ReadAsync(client, 50));

        _proxy.Switch(new ProxyMode.ResetAfter(10, Direction.ToClient)); // counted from here
        await client.SendAsync(new byte[30]);
        Assert.Equal(10, await ReadAsync(client, 10));
        await AssertResetAsync(client);
        Assert.Equal(80, _server.Received);
        await Waiting.UntilAsync(() => _server.Ended == 1);
    }

    [Fact]
    public async Task After_no_byte_of_request_the_server_has_got_nothing()
    {
        _proxy.Switch(new ProxyMode.ResetAfter(0));
        var client = await ConnectAsync();
        await client.SendAsync(new byte[30]);
        await AssertResetAsync(client);
        Assert.Equal(0, _server.Received);
    }

    [Fact]
    public async Task All_connections_are_reset_now_and_new_ones_are_not()
    {
        Socket[] clients = [await TalkAsync(), await TalkAsync(), await TalkAsync()];
        _proxy.ResetAll();
        foreach (var client in clients) await AssertResetAsync(client);
        await TalkAsync();
    }

    [Fact]
    public async Task A_swallowed_answer_leaves_the_request_applied_and_the_client_waiting_until_the_connection_is_cut()
    {
        var (client, idle) = (await TalkAsync(), await TalkAsync());
        _proxy.Switch(new ProxyMode.SwallowResponses());
        await client.SendAsync(new byte[30]);
        await Waiting.UntilAsync(() => _server.Received == 32 && _proxy.BytesSwallowed == 30);
        await AssertSilentAsync(client);

        _proxy.Switch(new ProxyMode.Pass());
        await AssertResetAsync(client);
        await idle.SendAsync(new byte[1]);
        Assert.Equal(1, await ReadAsync(idle, 1)); // it has lost nothing
    }

    [Fact]
    public async Task A_swallowed_connection_does_not_even_end()
    {
        var client = await TalkAsync();
        _proxy.Switch(new ProxyMode.SwallowResponses());
        client.Shutdown(SocketShutdown.Send);
        await Waiting.UntilAsync(() => _server.Ended == 1);
        await AssertSilentAsync(client);
        _proxy.Switch(new ProxyMode.Pass());
        Assert.Equal(0, await client.ReceiveAsync(new byte[1]));
    }

    [Fact]
    public async Task A_delay_holds_request_and_answer_and_a_switch_lets_them_go()
    {
        var client = await TalkAsync();
        _proxy.Switch(new ProxyMode.Delay(TimeSpan.FromMilliseconds(200)));
        var clock = Stopwatch.StartNew();
        await client.SendAsync(new byte[1]);
        Assert.Equal(1, await ReadAsync(client, 1));
        Assert.InRange(clock.ElapsedMilliseconds, 395, 1500);

        _proxy.Switch(new ProxyMode.Delay(TimeSpan.FromMinutes(10)));
        await client.SendAsync(new byte[1]);
        await AssertSilentAsync(client);
        _proxy.Switch(new ProxyMode.Pass());
        Assert.Equal(1, await ReadAsync(client, 1));
    }

    [Fact]
    public void Delays_are_drawn_between_their_bounds_and_again_for_the_same_seed()
    {
        var (least, most) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        var (one, other) = (new ProxyMode.Delay(least, most, Seed: 7), new ProxyMode.Delay(least, most, Seed: 7));
        var draws = Enumerable.Range(0, 1000).Select(_ => one.Next()).ToArray();
        Assert.Equal(draws, draws.Select(_ => other.Next()));
        Assert.All(draws, draw => Assert.InRange(draw, least, most));
        Assert.True(draws.Max() - draws.Min() > TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task A_narrow_road_takes_its_time()
    {
        var client = await TalkAsync();
        _proxy.Switch(new ProxyMode.Bandwidth(8000));
        var clock = Stopwatch.StartNew();
        await client.SendAsync(new byte[8000]);
        Assert.Equal(8000, await ReadAsync(client, 8000));
        Assert.InRange(clock.ElapsedMilliseconds, 990, 4000);
    }

    [Fact]
    public async Task Half_open_stops_the_sender_and_loses_nothing()
    {
        const int length = 32 << 20; // more than all buffers on the way
        var client = await TalkAsync();
        _proxy.Switch(new ProxyMode.HalfOpen(Direction.ToTarget));
        var sending = client.SendAsync(new byte[length]).WaitAsync(TimeSpan.FromMinutes(1));
        await Task.Delay(500);
        Assert.False(sending.IsCompleted);
        Assert.Equal(1, _server.Received);

        _proxy.Switch(new ProxyMode.Pass());
        Assert.Equal(length, await ReadAsync(client, length));
        await sending;
    }

    [Fact]
    public async Task Half_open_takes_new_connections_and_says_nothing_on_them()
    {
        _proxy.Switch(new ProxyMode.HalfOpen());
        var client = await ConnectAsync();
        await client.SendAsync(new byte[1]);
        await AssertSilentAsync(client);
        _proxy.Switch(new ProxyMode.Pass());
        Assert.Equal(1, await ReadAsync(client, 1));
    }

    [Fact]
    public async Task Refusing_resets_the_old_connections_and_the_new_ones_until_it_passes_again()
    {
        var client = await TalkAsync();
        _proxy.Switch(new ProxyMode.Refuse());
        await AssertResetAsync(client);
        await AssertResetAtOnceAsync(_proxy);
        _proxy.Switch(new ProxyMode.Pass());
        await TalkAsync();
        Assert.Equal(3, _proxy.Connections);
    }

    [Fact]
    public async Task Where_nothing_listens_the_client_is_reset()
    {
        await using var nowhere = TcpProxy.Start(new IPEndPoint(IPAddress.Loopback, 1));
        await AssertResetAtOnceAsync(nowhere);
    }

    [Fact]
    public async Task Its_end_leaves_no_socket_whatever_it_was_doing()
    {
        var before = Sockets();
        ProxyMode[] modes = [new ProxyMode.Pass(), new ProxyMode.Delay(TimeSpan.FromHours(1)), new ProxyMode.Bandwidth(1), new ProxyMode.HalfOpen(), new ProxyMode.SwallowResponses()];
        foreach (var mode in modes)
        {
            var proxy = TcpProxy.Start(_server.Address);
            var clients = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => ConnectAsync(proxy)));
            proxy.Switch(mode);
            foreach (var client in clients) await client.SendAsync(new byte[1000]);
            await Waiting.UntilAsync(() => proxy.Open == 10);

            await proxy.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(0, proxy.Open);
            await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(proxy));
        }

        foreach (var client in _clients) client.Dispose();
        await Waiting.UntilAsync(() => Sockets() <= before, () => $"{Sockets()} sockets, {before} before");
    }

    private static int Sockets() =>
        Directory.GetFiles("/proc/self/fd").Count(file => new FileInfo(file).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    private async Task<Socket> ConnectAsync(TcpProxy? proxy = null)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        await client.ConnectAsync((proxy ?? _proxy).Address);
        return client;
    }

    // Connected all the way, with one byte there and back.
    private async Task<Socket> TalkAsync()
    {
        var client = await ConnectAsync();
        await client.SendAsync(new byte[1]);
        Assert.Equal(1, await ReadAsync(client, 1));
        return client;
    }

    private static async Task<int> ReadAsync(Socket client, int length)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[64 * 1024];
        var read = 0;
        while (read < length && await client.ReceiveAsync(buffer.AsMemory(0, Math.Min(buffer.Length, length - read)), limit.Token) is > 0 and var more) read += more;
        return read;
    }

    private static async Task AssertResetAsync(Socket client)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var error = await Assert.ThrowsAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], limit.Token));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    // Connecting may see it already.
    private async Task AssertResetAtOnceAsync(TcpProxy proxy)
    {
        var error = await Assert.ThrowsAsync<SocketException>(async () => await (await ConnectAsync(proxy)).ReceiveAsync(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    private static async Task AssertSilentAsync(Socket client)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(400));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await client.ReceiveAsync(new byte[1], limit.Token));
    }
}
