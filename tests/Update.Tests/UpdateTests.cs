namespace QueueScale.Tests;

/// <summary>Every process replaced behind nginx, in the order of <c>update</c> and of a rollout: new ones become ready, requests go to them, old ones end.</summary>
public sealed class UpdateTests(Stage stage) : IClassFixture<Stage>, IAsyncLifetime
{
    private const int PerSecond = 300;
    private const int Times = 3;
    private static readonly (string, string?) Delay = ("Api__DrainDelay", "00:00:05"); // its default; other tests have no proxy that would have to notice

    private List<HostProcess> apis = [];
    private List<HostProcess> workers = [];
    private Nginx nginx = null!;
    private QueueScaleClient client = null!;
    private int started;

    public async ValueTask InitializeAsync()
    {
        await stage.ResetAsync();
        (apis, workers) = (await ApisAsync(), await WorkersAsync());
        nginx = await Nginx.StartAsync(stage.Folder, apis);
        client = new QueueScaleClient(nginx.Url, Stage.Key);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await nginx.DisposeAsync();
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task Every_process_is_replaced_three_times_and_no_request_fails_and_no_job_is_lost()
    {
        var longJobs = await client.SubmitBatchAsync([.. Enumerable.Range(0, 20).Select(_ => Job("probe.sleep", """{"seconds": 90, "steps": 900}"""))]);
        await using var caller = new Caller(nginx.Url, PerSecond);
        await using var watch = new ProgressWatch(client, longJobs);
        using var readers = new EventReaders(nginx.Url, longJobs, each: 10);
        for (var time = 0; time < Times; time++)
        {
            var (oldApis, oldWorkers) = (apis, workers);
            (apis, workers) = (await ApisAsync(), await WorkersAsync());
            nginx.Name([.. oldApis, .. apis]);
            await nginx.FollowsAsync(apis);
            await AnswersAsync(caller, PerSecond);
            var before = caller.Done;
            foreach (var old in oldWorkers.Concat(oldApis))
            {
                old.Process.Signal(Signal.Terminate);
                Assert.Equal(0, await old.Process.WaitForExitAsync());
            }

            Assert.InRange(caller.Done - before, PerSecond, int.MaxValue); // each of the two APIs drained for 5 s, and requests kept succeeding
            nginx.Name(apis);
            await AnswersAsync(caller, PerSecond);
        }

        await caller.StopAsync();
        Assert.True(caller.Failures.Count == 0, $"{caller.Failures.Count} failed:\n{string.Join('\n', caller.Failures.Take(10))}");

        foreach (var job in longJobs)
        {
            var end = await client.WaitForEndAsync(job, TimeSpan.FromMinutes(2));
            Assert.Equal((JobState.Succeeded, 0, 1), (end.State, end.Crashes, end.Attempt));
        }

        await readers.AllHeardAsync().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.InRange(readers.Goodbyes, 200, int.MaxValue); // the jobs may end before the last instances go
        Assert.Empty(await watch.WentBackAsync());
        Assert.Equal(longJobs.Count, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and interruptions > 0", longJobs));
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5") == caller.Accepted.Count + longJobs.Count);
    }

    [Fact]
    public async Task What_happens_to_a_job_is_seen_through_the_proxy_within_300_ms()
    {
        var seconds = new List<double>();
        for (var turn = 0; turn < 20; turn++)
        {
            var job = (await client.SubmitAsync(Job("probe.sleep", """{"seconds": 0.3, "steps": 1}"""))).Id;
            await foreach (var now in client.WatchAsync(job))
            {
                if (now.FinishedAt is { } finished) seconds.Add((DateTime.UtcNow - finished).TotalSeconds);
            }
        }

        Assert.Equal(20, seconds.Count);
        Assert.True(seconds.Order().ElementAt(18) < 0.3, string.Join(' ', seconds.Select(one => $"{one:0.000}")));
    }

    [Fact]
    public async Task A_new_version_that_never_becomes_ready_takes_no_request()
    {
        await using var caller = new Caller(nginx.Url, PerSecond);
        await AnswersAsync(caller, PerSecond);
        var broken = await stage.BeginApiAsync("broken", settings: [Delay, ("ConnectionStrings__Postgres", "Host=127.0.0.1;Port=1;Username=nobody")]);
        nginx.Name([.. apis, broken]);
        await Waiting.UntilAsync(() => LivesAsync(broken)); // it listens, so requests could come to it, and the proxy looks once a second
        await AnswersAsync(caller, 7 * PerSecond);
        await caller.StopAsync();
        Assert.Empty(caller.Failures);
    }

    [Fact]
    public async Task An_API_that_is_killed_fails_the_requests_that_it_has_and_none_a_second_later()
    {
        await using var caller = new Caller(nginx.Url, PerSecond);
        await AnswersAsync(caller, PerSecond);
        var (killed, onTheirWay) = (DateTimeOffset.UtcNow, caller.OnTheirWay);
        apis[0].Process.Signal(Signal.Kill);
        await AnswersAsync(caller, 6 * PerSecond);
        await caller.StopAsync();
        Assert.DoesNotContain(caller.Failures, failure => failure.Began < killed - TimeSpan.FromSeconds(1) || failure.Began > killed + TimeSpan.FromSeconds(1));
        Assert.InRange(caller.Failures.Count, 0, onTheirWay + (PerSecond / 20)); // and those of 50 ms, until the kill is done
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 5 and id = any($1)", caller.Accepted.ToArray()) == caller.Accepted.Count);
    }

    [Fact]
    public async Task What_the_proxy_refuses_itself_is_a_problem_like_those_of_the_APIs_and_theirs_pass()
    {
        using var http = new HttpClient { BaseAddress = nginx.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        await ProxyProblem.MustComeAsync(http, "metrics?q=1", 404, "not-found");
        await ProxyProblem.MustComeAsync(http, "v1/jobs", 413, "too-large", body: (17 * 1024 * 1024) + 1);
        await ProxyProblem.MustComeAsync(http, $"v1/{new string('a', 9000)}", 414, "refused");
        using (var own = await http.GetAsync(new Uri($"v1/jobs/{Guid.NewGuid()}", UriKind.Relative)))
        {
            Assert.Equal(404, (int)own.StatusCode);
            Assert.Contains("traceId", await own.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        apis.ForEach(api => api.Process.Signal(Signal.Kill));
        await Task.WhenAll(apis.Select(api => api.Process.WaitForExitAsync()));
        await ProxyProblem.MustComeAsync(http, "v1/jobs", 502, "unavailable", retryAfter: true);
    }

    private async Task<List<HostProcess>> ApisAsync() => [.. await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => stage.StartApiAsync($"api{Interlocked.Increment(ref started)}", settings: [Delay])))];

    private async Task<List<HostProcess>> WorkersAsync() => [.. await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => stage.StartWorkerAsync($"worker{Interlocked.Increment(ref started)}")))];

    /// <summary>Waits until this many more requests succeed.</summary>
    private static Task AnswersAsync(Caller caller, int more)
    {
        var before = caller.Done;
        return Waiting.UntilAsync(() => Task.FromResult(caller.Done >= before + more));
    }

    private static async Task<bool> LivesAsync(HostProcess api)
    {
        using var http = new HttpClient();
        try
        {
            using var answer = await http.GetAsync(new Uri(api.Url, "health/live"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static SubmitJob Job(string type, string input) => new() { Type = type, Input = System.Text.Json.JsonElement.Parse(input) };

    /// <summary>Reads the progress of jobs again and again.</summary>
    private sealed class ProgressWatch : IAsyncDisposable
    {
        private readonly CancellationTokenSource stop = new();
        private readonly List<string> wentBack = [];
        private readonly Task watching;

        public ProgressWatch(QueueScaleClient client, IReadOnlyList<Guid> jobs) => watching = WatchAsync(client, jobs);

        public async Task<IReadOnlyList<string>> WentBackAsync()
        {
            await stop.CancelAsync();
            await watching;
            return wentBack;
        }

        public async ValueTask DisposeAsync()
        {
            await WentBackAsync();
            stop.Dispose();
        }

        private async Task WatchAsync(QueueScaleClient client, IReadOnlyList<Guid> jobs)
        {
            var most = new Dictionary<Guid, double>();
            while (!stop.IsCancellationRequested)
            {
                foreach (var id in jobs)
                {
                    var done = (await client.GetJobAsync(id)).Progress?.Done ?? 0;
                    if (done < most.GetValueOrDefault(id))
                    {
                        wentBack.Add($"{id}: {done} after {most[id]}");
                    }

                    most[id] = done;
                }

                await Task.Delay(250);
            }
        }
    }
}
