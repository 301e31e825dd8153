using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>Connections whose other end is gone without a word, as a host that loses its power is. The API is played here, byte by byte.</summary>
public sealed class SilentConnectionTests : IDisposable
{
    private const string Headers = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

    private static readonly Guid Id = Guid.NewGuid();

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> connections = [];

    public SilentConnectionTests() => listener.Start();

    public void Dispose()
    {
        connections.ForEach(connection => connection.Dispose());
        listener.Dispose();
    }

    [Theory]
    [InlineData(Headers + ": events of a job\n\n", true)]
    [InlineData(Headers, false)]
    [InlineData("", false)]
    public async Task A_watch_over_a_connection_that_falls_silent_begins_anew(string said, bool isTold)
    {
        var states = WatchAsync();
        await SayAsync(await ConnectedAsync(), said + (isTold ? Event(JobState.Running) : ""));
        var second = await ConnectedAsync();
        await SayAsync(second, Headers);
        await EndAsync(second);
        Assert.Equal(isTold ? [JobState.Running, JobState.Succeeded] : [JobState.Succeeded], await states);
    }

    [Fact]
    public async Task A_watch_that_hears_only_that_the_API_lives_goes_on()
    {
        var states = WatchAsync();
        var connection = await ConnectedAsync();
        await SayAsync(connection, Headers);
        for (var time = 0; time < 10; time++)
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
            await SayAsync(connection, ": nothing new\n\n");
        }

        await EndAsync(connection);
        Assert.Equal([JobState.Succeeded], await states);
        Assert.Single(connections);
    }

    private async Task<List<JobState>> WatchAsync()
    {
        using var client = new QueueScaleClient(new Uri($"http://{listener.LocalEndpoint}"), Stage.Key) { LongestQuiet = TimeSpan.FromSeconds(1) };
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var states = new List<JobState>();
        await foreach (var job in client.WatchAsync(Id, patience.Token))
        {
            states.Add(job.State);
        }

        return states;
    }

    /// <returns>The next connection, over which the events were asked for.</returns>
    private async Task<Socket> ConnectedAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var connection = await listener.AcceptSocketAsync(patience.Token);
        connections.Add(connection);
        var asked = new byte[4096];
        var length = await connection.ReceiveAsync(asked, patience.Token);
        Assert.StartsWith($"GET /v1/jobs/{Id}/events ", Encoding.ASCII.GetString(asked, 0, length), StringComparison.Ordinal);
        return connection;
    }

    private static async Task SayAsync(Socket connection, string words) => await connection.SendAsync(Encoding.ASCII.GetBytes(words));

    private static async Task EndAsync(Socket connection)
    {
        await SayAsync(connection, Event(JobState.Succeeded));
        connection.Shutdown(SocketShutdown.Send);
    }

    private static string Event(JobState state)
    {
        var job = new Job
        {
            Id = Id,
            Type = "probe.noop",
            Queue = "default",
            Priority = JobPriority.Normal,
            State = state,
            Attempt = 1,
            MaxAttempts = 1,
            Interruptions = 0,
            Crashes = 0,
            CreatedAt = DateTime.UtcNow,
            Links = JobLinks.Of(Id),
        };
        return $"event: state\ndata: {JsonSerializer.Serialize(job, JobJson.Options)}\n\n";
    }
}
