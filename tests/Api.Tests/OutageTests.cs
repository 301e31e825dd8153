using QueueScale.Client;

namespace QueueScale.Tests;

/// <summary>PostgreSQL away, frozen or locked: honest answers in time, and everything works again by itself.</summary>
public sealed class OutageTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private static readonly TimeSpan Back = TimeSpan.FromSeconds(5);

    private readonly HttpClient http = new() { DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) }, Timeout = TimeSpan.FromSeconds(20) };

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        stage.Servers.All.Postgres.Process?.SignalAll(Signal.Continue);
        await stage.Servers.All.Postgres.StartAsync();
        stage.Sql.Clear();
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task While_PostgreSQL_is_stopped_the_API_lives_is_not_ready_and_says_so_in_time()
    {
        var (api, client) = await StartAsync();
        await stage.Servers.All.Postgres.StopAsync();
        Assert.Equal(200, (await GetAsync(api, "health/live")).Status);
        await Waiting.UntilAsync(async () => (await GetAsync(api, "health/ready")).Status == 503, patience: TimeSpan.FromSeconds(2));
        Assert.Contains("unavailable", (await GetAsync(api, "health/ready")).Body, StringComparison.Ordinal);
        Assert.Equal(200, (await GetAsync(api, "health/startup")).Status);
        await AnswersInTimeAsync(api);

        await stage.Servers.All.Postgres.StartAsync();
        await WorksAgainAsync(api, client);
    }

    [Fact]
    public async Task While_PostgreSQL_is_frozen_every_answer_comes_in_time()
    {
        var (api, client) = await StartAsync();
        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Stop);
        await AnswersInTimeAsync(api);
        Assert.Equal(200, (await GetAsync(api, "health/live")).Status);
        using (var list = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, new Uri(api.Url, "v1/jobs")) { Headers = { Authorization = new("Bearer", Stage.Key) } }))
        {
            Assert.Equal((503, true), ((int)list.StatusCode, list.Headers.ConnectionClose)); // what was given up must not meet the connection's next request
        }

        var ready = await GetAsync(api, "health/ready");
        Assert.Equal((503, "1"), (ready.Status, ready.Headers.RetryAfter?.ToString()));

        stage.Servers.All.Postgres.Process!.SignalAll(Signal.Continue);
        await WorksAgainAsync(api, client);
    }

    [Fact]
    public async Task While_the_jobs_are_locked_callers_are_answered_in_time_and_workers_go_on_pulsing()
    {
        var (api, client) = await StartAsync();
        await using (var locker = await stage.Sql.OpenConnectionAsync())
        {
            await using var transaction = await locker.BeginTransactionAsync();
            await using (var hold = new Npgsql.NpgsqlCommand("lock table jobs in access exclusive mode", locker))
            {
                await hold.ExecuteNonQueryAsync();
            }

            var begun = TimeProvider.System.GetTimestamp();
            var asking = AnswersInTimeAsync(api);
            var oldest = 0.0;
            while (TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(10))
            {
                oldest = Math.Max(oldest, await stage.ScalarAsync<double>("select extract(epoch from clock_timestamp() - max(pulse_at))::float8 from workers where dead_at is null"));
                await Task.Delay(200, TestContext.Current.CancellationToken);
            }

            await asking;
            Assert.InRange(oldest, 0, 4); // one statement's time-out between two beats
            Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from workers where dead_at is null and pulse_at > clock_timestamp() - '1 min'::interval"));
            Assert.Equal(200, (await GetAsync(api, "health/live")).Status);
            await transaction.RollbackAsync();
        }

        await WorksAgainAsync(api, client);
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from workers where dead_at is not null"));
    }

    private async Task<(HostProcess Api, QueueScaleClient Client)> StartAsync()
    {
        await stage.ExecuteAsync("truncate jobs, runs, queue_counts, lanes; delete from workers");
        var api = await stage.StartApiAsync();
        await stage.StartWorkerAsync("w");
        var client = stage.Client(api);
        await client.WaitForEndAsync((await client.SubmitAsync(new SubmitJob { Type = "probe.noop" })).Id);
        return (api, client);
    }

    /// <summary>Every call that needs PostgreSQL is refused with 503 and Retry-After, within 2 s.</summary>
    private async Task AnswersInTimeAsync(HostProcess api)
    {
        var id = Guid.CreateVersion7();
        (string Method, string Path, string? Body)[] calls =
        [
            ("POST", "v1/jobs", """{"type": "probe.noop"}"""),
            ("POST", "v1/jobs", """{"type": "probe.noop"}"""),
            ("POST", "v1/jobs", """{"type": "probe.noop"}"""),
            ("POST", "v1/jobs/batch", $"[{string.Join(',', Enumerable.Repeat("""{"type": "probe.noop"}""", 10))}]"),
            ("GET", $"v1/jobs/{id}", null),
            ("GET", "v1/jobs", null),
            ("GET", $"v1/jobs/{id}/runs", null),
            ("POST", $"v1/jobs/{id}/cancel", null),
        ];
        var took = await Task.WhenAll(calls.Select(async call =>
        {
            var asked = TimeProvider.System.GetTimestamp();
            using var request = new HttpRequestMessage(new HttpMethod(call.Method), new Uri(api.Url, call.Path));
            request.Content = call.Body is null ? null : new StringContent(call.Body, Encoding.UTF8, "application/json");
            try
            {
                var answer = (await Answer.OfAsync(await http.SendAsync(request))).MustRefuse(503);
                Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 10);
            }
            catch (OperationCanceledException)
            {
                // Told below.
            }

            return (Call: $"{call.Method} {call.Path}", Seconds: TimeProvider.System.GetElapsedTime(asked).TotalSeconds);
        }));
        Assert.True(took.All(call => call.Seconds < 2), string.Join("; ", took.Select(call => $"{call.Call} took {call.Seconds:0.00} s")));
    }

    private async Task WorksAgainAsync(HostProcess api, QueueScaleClient client)
    {
        stage.Sql.Clear();
        var begun = TimeProvider.System.GetTimestamp();
        Job? job = null;
        await Waiting.UntilAsync(async () =>
        {
            try
            {
                job = await client.SubmitAsync(new SubmitJob { Type = "probe.noop" });
                return (await GetAsync(api, "health/ready")).Status == 200;
            }
            catch (QueueScaleException refused) when (refused.Status == 503)
            {
                return false;
            }
        }, patience: Back);
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job!.Id)).State);
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun), TimeSpan.Zero, Back);
    }

    private async Task<Answer> GetAsync(HostProcess api, string path) => await Answer.OfAsync(await http.GetAsync(new Uri(api.Url, path)));
}
