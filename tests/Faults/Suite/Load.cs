using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>A kind of job that the clients submit.</summary>
/// <param name="Name">For people.</param>
/// <param name="PerSecond">How many.</param>
/// <param name="Make">Makes the submission.</param>
/// <param name="Steps">The steps that its handler notes in the ledger.</param>
/// <param name="CancelWithin">It is cancelled within this time, by chance.</param>
/// <param name="IsObserved">Some of them are followed by observers.</param>
/// <param name="Insists">It is sent twice at once under an idempotency key, and again until it is answered.</param>
internal sealed record Kind(string Name, double PerSecond, Func<SubmitJob> Make, int? Steps = null, TimeSpan? CancelWithin = null, bool Insists = false, bool IsObserved = true);

/// <summary>Clients that submit at a steady rate, whatever happens, and write down what they were told. Nothing is sent twice, but for what insists.</summary>
internal sealed class Load : IAsyncDisposable
{
    private const int MostTries = 20;

    /// <summary>One accepted job of so many is followed by two observers.</summary>
    private const int ObservedOneOf = 40;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(250);

    /// <summary>An observer gives a job up after so many glances.</summary>
    private const int MostGlances = 80;

    private readonly ConcurrentQueue<ClientEvent> events = [];
    private readonly CancellationTokenSource stop = new();
    private HttpClient[] clients = [];
    private readonly Random chance;
    private readonly List<Task> loops = [];
    private readonly ConcurrentDictionary<long, Task> calls = [];
    private long lastCall;
    private int submitting;
    private int accepted;
    private double slowest;

    public Load(Ground ground, int seed)
    {
        chance = new Random(seed);
        Connect(ground);
    }

    /// <summary>Knows the APIs that are there now.</summary>
    public void Connect(Ground ground) =>
        clients = [.. ground.ApiRoads.Select(road => new HttpClient
        {
            BaseAddress = new Uri($"http://{road.Address}/"),
            Timeout = TimeSpan.FromSeconds(5),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Ground.Key) },
        })];

    /// <summary>Submissions under way.</summary>
    public int Submitting => Volatile.Read(ref submitting);

    /// <summary>Seconds from each request to its 202.</summary>
    public ConcurrentQueue<(DateTime At, double Seconds)> Accepted { get; } = [];

    /// <summary>Answers that are neither a 202 nor an honest 503 in time.</summary>
    public ConcurrentQueue<string> Odd { get; } = [];

    /// <summary>Seconds of the slowest answer, whatever it was, since this was last reset.</summary>
    public double SlowestAnswer(bool reset) => reset ? Interlocked.Exchange(ref slowest, 0) : Volatile.Read(ref slowest);

    /// <summary>What the clients saw so far.</summary>
    public IReadOnlyList<ClientEvent> Events => [.. events];

    public void Start(IReadOnlyList<Kind> kinds) => loops.AddRange(kinds.Select(kind => Task.Run(() => SubmitAsync(kind))));

    /// <summary>Waits for the answers to what has been submitted so far.</summary>
    public Task AnsweredAsync() => Task.WhenAll(calls.Values);

    /// <summary>Submits no more, and waits for the answers that are under way.</summary>
    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await Task.WhenAll(loops);
        await Task.WhenAll(calls.Values);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var client in clients)
        {
            client.Dispose();
        }
    }

    /// <summary>Submits one job and says what became of it.</summary>
    public async Task<Guid?> SubmitOneAsync(Kind kind)
    {
        var token = $"call-{Interlocked.Increment(ref lastCall)}";
        var body = JsonSerializer.Serialize(kind.Make() with { Tags = [token, kind.Name] }, JobJson.Options);
        if (!kind.Insists)
        {
            return await TryAsync(kind, token, body, null);
        }

        for (var tries = 1; tries <= MostTries; tries++)
        {
            if ((await Task.WhenAll(TryAsync(kind, token, body, token), TryAsync(kind, token, body, token))).FirstOrDefault(id => id is not null) is { } id)
            {
                return id;
            }

            await Task.Delay(500);
        }

        return null;
    }

    private async Task<Guid?> TryAsync(Kind kind, string token, string body, string? key)
    {
        var call = Interlocked.Increment(ref lastCall);
        Note(new ClientEvent { Call = call, Phase = Phase.Invoke, Operation = Operation.Submit, At = DateTime.UtcNow, Token = token, Steps = kind.Steps });
        Interlocked.Increment(ref submitting);
        var began = TimeProvider.System.GetTimestamp();
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            if (key is not null)
            {
                request.Headers.Add("Idempotency-Key", key);
            }

            using var answer = await Client().SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            var answered = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
            var id = answer.StatusCode == HttpStatusCode.Accepted ? JsonElement.Parse(text).GetProperty("id").GetGuid() : (Guid?)null;
            if (id is not null)
            {
                Accepted.Enqueue((DateTime.UtcNow, answered));
            }
            else if (answer.StatusCode != HttpStatusCode.ServiceUnavailable || answer.Headers.RetryAfter is null)
            {
                Odd.Enqueue($"{(int)answer.StatusCode} after {answered:0.0} s: {text}");
            }

            Note(new ClientEvent
            {
                Call = call, Operation = Operation.Submit, At = DateTime.UtcNow, Job = id, Detail = $"{(int)answer.StatusCode}",
                Phase = id is not null ? Phase.Ok : (int)answer.StatusCode is >= 400 and < 500 ? Phase.Fail : Phase.Info,
            });
            return id;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException or IOException or JsonException)
        {
            Note(new ClientEvent { Call = call, Phase = Phase.Info, Operation = Operation.Submit, At = DateTime.UtcNow, Detail = error.Message });
            return null;
        }
        finally
        {
            Interlocked.Decrement(ref submitting);
            var took = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
            for (var seen = slowest; took > seen && Interlocked.CompareExchange(ref slowest, took, seen) != seen;)
            {
                seen = slowest;
            }
        }
    }

    /// <summary>Submits many jobs at once, which must be accepted. They are not part of the history.</summary>
    public async Task SubmitBatchAsync(int jobs, Func<SubmitJob> make)
    {
        using var content = new StringContent(JsonSerializer.Serialize(Enumerable.Range(0, jobs).Select(_ => make()), JobJson.Options), Encoding.UTF8, "application/json");
        using var answer = await Client().PostAsync("v1/jobs/batch", content);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>Cancels a job.</summary>
    public Task CancelAsync(Guid job) => ShownAsync(Operation.Cancel, job, observer: null, Client());

    /// <summary>Cancels a job through one API, and is shown what becomes of it.</summary>
    public Task<JobState?> CancelAsync(Guid job, string observer, int api) => ShownAsync(Operation.Cancel, job, observer, clients[api]);

    /// <summary>Looks at a job through one API.</summary>
    public Task<JobState?> ReadAsync(Guid job, string observer, int api) => ShownAsync(Operation.Read, job, observer, clients[api]);

    /// <returns>The state that the answer shows.</returns>
    private async Task<JobState?> ShownAsync(Operation operation, Guid job, string? observer, HttpClient client)
    {
        var call = Interlocked.Increment(ref lastCall);
        Note(new ClientEvent { Call = call, Phase = Phase.Invoke, Operation = operation, At = DateTime.UtcNow, Job = job, Observer = observer });
        var end = new ClientEvent { Call = call, Phase = Phase.Info, Operation = operation, At = DateTime.UtcNow, Job = job };
        try
        {
            using var answer = operation == Operation.Read ? await client.GetAsync($"v1/jobs/{job}") : await client.PostAsync($"v1/jobs/{job}/cancel", null);
            end = end with { Phase = (int)answer.StatusCode switch { < 300 => Phase.Ok, < 500 => Phase.Fail, _ => Phase.Info }, Detail = $"{(int)answer.StatusCode}" };
            if (end.Phase == Phase.Ok)
            {
                var text = await answer.Content.ReadAsStringAsync();
                end = end with
                {
                    State = JsonSerializer.Deserialize<Job>(text, JobJson.Options)!.State,
                    Version = answer.Headers.ETag is { } version ? long.Parse(version.Tag.Trim('"'), CultureInfo.InvariantCulture) : null,
                };
            }
            else if (operation == Operation.Read && (end.Phase == Phase.Fail || answer.Headers.RetryAfter is null))
            {
                Odd.Enqueue($"{end.Detail} to a read of {job}");
            }
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException or IOException)
        {
            end = end with { Phase = Phase.Info, State = null, Detail = error.Message };
        }

        Note(end with { At = DateTime.UtcNow });
        return end.State;
    }

    /// <summary>Follows a job until some time after its end, each time through another API.</summary>
    private async Task ObserveAsync(Guid job, string observer)
    {
        for (var (glances, after) = (0, 0); glances < MostGlances && after < 4 && !stop.IsCancellationRequested; glances++)
        {
            after += await ReadAsync(job, observer, glances % clients.Length) is { } state && state.IsFinal() ? 1 : 0;
            await Task.Delay(Glance, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SubmitAsync(Kind kind)
    {
        // Open loop: when answers are slow the next submission comes all the same.
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1 / kind.PerSecond));
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                var key = Interlocked.Increment(ref lastCall);
                var call = OneAsync(kind);
                calls[key] = call;
                _ = call.ContinueWith(_ => calls.TryRemove(key, out var _), TaskScheduler.Default);
            }
        }
        catch (OperationCanceledException)
        {
            // enough
        }
    }

    private async Task OneAsync(Kind kind)
    {
        if (await SubmitOneAsync(kind) is not { } job)
        {
            return;
        }

        var observed = kind.IsObserved && Interlocked.Increment(ref accepted) % ObservedOneOf == 0 ? Task.WhenAll(ObserveAsync(job, "one"), ObserveAsync(job, "other")) : Task.CompletedTask;
        if (kind.CancelWithin is { } within)
        {
            await Task.Delay(within * Chance());
            await CancelAsync(job);
        }

        await observed;
    }

    private HttpClient Client() => clients[(int)(Chance() * clients.Length)];

    private double Chance()
    {
        lock (chance)
        {
            return chance.NextDouble();
        }
    }

    private void Note(ClientEvent line) => events.Enqueue(line);
}
