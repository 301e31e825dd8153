using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using QueueScale.Contracts;

namespace QueueScale.Tests;

/// <summary>A steady load through a proxy. Connections are kept, and a failed request is not repeated. A slow response does not delay the next request until every
/// connection is in use; then the rate drops, so that no request times out while it waits for a connection.</summary>
public sealed class Caller : IAsyncDisposable
{
    private const int Connections = 64;

    private readonly HttpClient http;
    private readonly SemaphoreSlim free = new(Connections);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentBag<Guid> accepted = [];
    private readonly ConcurrentQueue<(DateTimeOffset Began, DateTimeOffset Ended, string What)> failures = new();
    private readonly Task running;
    private int done;
    private int onTheirWay;

    public Caller(Uri url, int perSecond, string key = Stage.Key)
    {
        http = new(new SocketsHttpHandler { MaxConnectionsPerServer = Connections, PooledConnectionLifetime = Timeout.InfiniteTimeSpan }) { BaseAddress = url, Timeout = TimeSpan.FromSeconds(10) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        running = RunAsync(perSecond);
    }

    /// <summary>Requests that were answered as they should.</summary>
    public int Done => done;

    /// <summary>Requests without an answer yet.</summary>
    public int OnTheirWay => onTheirWay;

    /// <summary>The jobs that were accepted.</summary>
    public IReadOnlyCollection<Guid> Accepted => accepted;

    /// <summary>The other requests.</summary>
    public IReadOnlyCollection<(DateTimeOffset Began, DateTimeOffset Ended, string What)> Failures => failures;

    /// <summary>Sends no more and waits for what is on its way.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await running;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        http.Dispose();
        free.Dispose();
        stop.Dispose();
    }

    private async Task RunAsync(int perSecond)
    {
        var (requests, due) = (new List<Task>(), Stopwatch.GetTimestamp());
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            await free.WaitAsync();
            requests.Add(number % 3 == 0 || accepted.IsEmpty ? SubmitAsync() : ReadAsync(number));
            requests.RemoveAll(request => request.IsCompletedSuccessfully);
            due = Math.Max(due, Stopwatch.GetTimestamp() - Stopwatch.Frequency) + (Stopwatch.Frequency / perSecond); // catches up on one second at most
            if (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due) is var rest && rest > TimeSpan.Zero)
            {
                await Task.Delay(rest);
            }
        }

        await Task.WhenAll(requests);
    }

    private Task SubmitAsync() => CallAsync(async () =>
    {
        using var answer = await http.PostAsJsonAsync("v1/jobs", new { type = "probe.noop" }, JobJson.Options);
        answer.EnsureSuccessStatusCode();
        accepted.Add((await answer.Content.ReadFromJsonAsync<Job>(JobJson.Options))!.Id);
    }, "submit");

    private Task ReadAsync(int number) => CallAsync(async () =>
    {
        using var answer = await http.GetAsync(number % 3 == 1 ? $"v1/jobs/{accepted.First()}" : "v1/queues/default/scale");
        answer.EnsureSuccessStatusCode();
    }, "read");

    private async Task CallAsync(Func<Task> call, string what)
    {
        var began = DateTimeOffset.UtcNow;
        Interlocked.Increment(ref onTheirWay);
        try
        {
            await call();
            Interlocked.Increment(ref done);
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            failures.Enqueue((began, DateTimeOffset.UtcNow, $"{what}: {error.Message}"));
        }
        finally
        {
            Interlocked.Decrement(ref onTheirWay);
            free.Release();
        }
    }
}
