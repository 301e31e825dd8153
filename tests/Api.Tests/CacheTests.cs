using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>Two APIs that share a Redis: reads are answered from it, and nobody is shown an older state than before, at whichever API, whatever happens to Redis.</summary>
public sealed class CacheTests(CachingApis apis) : IClassFixture<CachingApis>, IAsyncDisposable
{
    private readonly HttpClient http = new() { DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) }, Timeout = TimeSpan.FromSeconds(20) };

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        apis.Redis.Process?.SignalAll(Signal.Continue);
        await apis.Redis.StartAsync();
        await apis.EmptyRedisAsync();
        await apis.SettledAsync();
    }

    [Fact]
    public async Task What_one_API_has_read_the_other_answers_from_Redis()
    {
        var job = await SubmitAsync();
        var read = await GetAsync(apis.First, job);
        Assert.Equal("queued", read.Text("state"));
        var (hits, statements, reads) = (await apis.CountAsync(apis.Second, "redis", "hit"), await ReadsAsync(), 0);
        await Waiting.UntilAsync(async () => // at 2 seconds' age it is read anew
        {
            var again = await GetAsync(apis.Second, job);
            reads++;
            Assert.Equal((read.Body, read.Headers.ETag, read.ContentType), (again.Body, again.Headers.ETag, again.ContentType));
            return await apis.CountAsync(apis.Second, "redis", "hit") >= hits + 3;
        });
        Assert.Equal(reads - 3, await ReadsAsync() - statements);
    }

    [Fact]
    public async Task Who_asks_for_the_job_as_it_is_now_gets_it_from_PostgreSQL_and_nobody_sees_an_older_one_after_that()
    {
        var job = await SubmitAsync();
        Assert.Equal("queued", (await GetAsync(apis.First, job)).Text("state"));
        await apis.Stage.ExecuteAsync($"update jobs set state = 3 where id = '{job}'");
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(apis.Second.Url, $"v1/jobs/{job}")) { Headers = { CacheControl = new() { NoCache = true } } };
        Assert.Equal("retrying", (await Answer.OfAsync(await http.SendAsync(request))).Text("state"));
        Assert.Equal("retrying", (await GetAsync(apis.First, job)).Text("state"));
    }

    [Fact]
    public async Task A_job_that_has_succeeded_is_in_the_memory_of_the_API_that_showed_it()
    {
        var job = await SubmitAsync();
        await apis.Stage.ExecuteAsync($"update jobs set state = 5, result = '1', finished_at = clock_timestamp() where id = '{job}'");
        var read = await GetAsync(apis.First, job);
        Assert.Equal("succeeded", read.Text("state"));
        var hits = await apis.CountAsync(apis.First, "process", "hit");
        var again = await GetAsync(apis.First, job);
        Assert.Equal((read.Body, read.Headers.ETag), (again.Body, again.Headers.ETag));
        Assert.Equal(["id", "state"], (await GetAsync(apis.First, job, "?fields=id,state")).Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal(hits + 2, await apis.CountAsync(apis.First, "process", "hit"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Another_tenant_finds_nothing_in_any_cache(int state)
    {
        var job = await SubmitAsync();
        await apis.Stage.ExecuteAsync($"update jobs set state = {state} where id = '{job}'");
        var made = await Answer.OfAsync(await http.PostAsync(new Uri(apis.First.Url, "v1/keys"), new StringContent("""{"name": "other", "scopes": ["read"], "tenant": "other"}""", Encoding.UTF8, "application/json")));
        using var other = new HttpClient { DefaultRequestHeaders = { Authorization = new("Bearer", made.Text("key")) } };
        for (var i = 0; i < 2; i++)
        {
            await GetAsync(apis.First, job);
            (await Answer.OfAsync(await other.GetAsync(new Uri(apis.First.Url, $"v1/jobs/{job}")))).MustRefuse(404);
            (await Answer.OfAsync(await other.GetAsync(new Uri(apis.Second.Url, $"v1/jobs/{job}")))).MustRefuse(404);
            await GetAsync(apis.Second, job);
        }
    }

    [Fact]
    public async Task A_state_shown_by_one_API_in_any_way_is_not_followed_by_an_older_one_from_the_other()
    {
        foreach (var show in (string[])["v1/jobs?limit=1", "v1/jobs/{0}/explain", "v1/jobs/{0}/runs"])
        {
            var job = await SubmitAsync();
            Assert.Equal("queued", (await GetAsync(apis.Second, job)).Text("state"));
            await apis.Stage.ExecuteAsync($"update jobs set state = 6, finished_at = clock_timestamp() where id = '{job}'");
            await GetAsync(apis.First, string.Format(CultureInfo.InvariantCulture, show, job));
            Assert.Equal("failed", (await GetAsync(apis.Second, job)).Text("state"));
        }
    }

    [Fact]
    public async Task A_cancelled_job_is_cancelled_at_every_API_at_once_and_a_retried_one_queued()
    {
        for (var i = 0; i < 10; i++)
        {
            var job = await SubmitAsync();
            Assert.Equal("queued", (await GetAsync(apis.Second, job)).Text("state"));
            await PostAsync(apis.First, $"v1/jobs/{job}/cancel");
            Assert.Equal("cancelled", (await GetAsync(apis.Second, job)).Text("state"));
            await PostAsync(apis.First, $"v1/jobs/{job}/retry");
            Assert.Equal("queued", (await GetAsync(apis.Second, job)).Text("state"));
        }
    }

    [Fact]
    public async Task An_API_that_cannot_reach_Redis_shows_nothing_that_others_would_contradict()
    {
        var jobs = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => SubmitAsync()));
        var alone = await apis.Stage.StartApiAsync("alone", settings: ("ConnectionStrings__Redis", "127.0.0.1:1"));
        try
        {
            await apis.SettledAsync(); // it has not shown anything yet
            Assert.All(await Task.WhenAll(jobs.Select(job => GetAsync(apis.Second, job))), read => Assert.Equal("queued", read.Text("state")));
            await Task.WhenAll(jobs.Select(async job =>
            {
                await PostAsync(alone, $"v1/jobs/{job}/cancel");
                Assert.Equal("cancelled", (await GetAsync(apis.Second, job)).Text("state"));
            }));
            Assert.Equal(200, (await GetAsync(alone, "health/ready")).Status);
        }
        finally
        {
            await alone.Process.KillAsync();
        }
    }

    [Fact]
    public async Task While_Redis_is_away_reads_are_right_and_no_error_and_it_is_told_once_when_it_goes_and_once_when_it_is_back()
    {
        var redis = apis.Redis;
        await StrikeAsync(() => Task.Run(() => redis.Process!.SignalAll(Signal.Stop)), () => Task.Run(() => redis.Process!.SignalAll(Signal.Continue)));
        await StrikeAsync(redis.KillAsync, () => redis.StartAsync());
        await StrikeAsync(apis.FillRedisAsync, apis.EmptyRedisAsync);
    }

    private async Task StrikeAsync(Func<Task> strike, Func<Task> end)
    {
        var job = await SubmitAsync();
        await GetAsync(apis.First, job);
        var told = await ToldAsync();
        await strike();
        await PostAsync(apis.First, $"v1/jobs/{job}/cancel");
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal("cancelled", (await GetAsync(i % 2 == 0 ? apis.First : apis.Second, job)).Text("state"));
        }

        // Readiness asks Redis itself, so it may show the end of Redis before the connection has noticed, and only the connection reports it.
        await Waiting.UntilAsync(async () => (await GetAsync(apis.First, "health/ready")) is { Status: 200 } ready && ready.Text("status") == "degraded" && (await ToldAsync()).Gone > told.Gone);
        await end();
        Assert.Equal("cancelled", (await GetAsync(apis.Second, job)).Text("state"));
        await Waiting.UntilAsync(async () => (await GetAsync(apis.First, "health/ready")).Text("status") == "ready" && (await ToldAsync()).Back > told.Back);
        Assert.Equal((told.Gone + 1, told.Back + 1), await ToldAsync());
    }

    private async Task<Guid> SubmitAsync()
    {
        using var body = new StringContent("""{"type": "test.any"}""", Encoding.UTF8, "application/json");
        var answer = await Answer.OfAsync(await http.PostAsync(new Uri(apis.First.Url, "v1/jobs"), body));
        Assert.True(answer.Status == 202, answer.Body);
        return answer.JobId;
    }

    private async Task<Answer> GetAsync(HostProcess api, Guid job, string query = "")
    {
        var answer = await GetAsync(api, $"v1/jobs/{job}{query}");
        Assert.True(answer.Status == 200, answer.Body);
        return answer;
    }

    private async Task<Answer> GetAsync(HostProcess api, string path) => await Answer.OfAsync(await http.GetAsync(new Uri(api.Url, path)));

    private async Task PostAsync(HostProcess api, string path)
    {
        var answer = await Answer.OfAsync(await http.PostAsync(new Uri(api.Url, path), null));
        Assert.True(answer.Status == 200, answer.Body);
    }

    /// <summary>How often an API has asked PostgreSQL for a job.</summary>
    private async Task<double> ReadsAsync() => await apis.CountAsync(apis.Second, "redis", "miss") + await apis.CountAsync(apis.Second, "redis", "off") + await apis.CountAsync(apis.Second, "redis", "error");

    private async Task<(int Gone, int Back)> ToldAsync()
    {
        var lines = await File.ReadAllLinesAsync(apis.First.Process.LogPath);
        return (Count("\"Id\":2102"), Count("\"Id\":2101"));

        int Count(string id) => lines.Count(line => line.Contains(id, StringComparison.Ordinal));
    }
}

public sealed partial class CachingApis(Servers servers) : IAsyncLifetime
{
    public Stage Stage { get; } = new(servers);

    public RedisServer Redis => servers.All.Redis;

    public HostProcess First { get; private set; } = null!;

    public HostProcess Second { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        await using (var database = Stage.NewDatabase())
        {
            await new JobTypes(database).RegisterAsync([new(RunningApi.Any, "default", 3, null, "{}")], CancellationToken.None);
        }

        var started = await Task.WhenAll(((string[])["first", "second"]).Select(name => Stage.StartApiAsync(name, settings: ("ConnectionStrings__Redis", Stage.Redis))));
        (First, Second) = (started[0], started[1]);
        await SettledAsync();
    }

    public ValueTask DisposeAsync() => Stage.DisposeAsync();

    /// <summary>Redis takes nothing more.</summary>
    public Task FillRedisAsync() => Redis.AskAsync("CONFIG SET maxmemory 1"); // without any key it holds more

    /// <summary>Redis has room again.</summary>
    public Task EmptyRedisAsync() => Redis.AskAsync("CONFIG SET maxmemory 64mb");

    /// <summary>Waits until both APIs answer from Redis.</summary>
    public async Task SettledAsync()
    {
        await Waiting.UntilAsync(() => Stage.ScalarAsync<bool>("select off_until < clock_timestamp() from cache_switch"));
        using var http = new HttpClient { DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        foreach (var api in (HostProcess[])[First, Second])
        {
            await Waiting.UntilAsync(async () =>
            {
                var before = await CountAsync(api, "redis", "miss");
                using var answer = await http.GetAsync(new Uri(api.Url, $"v1/jobs/{Guid.CreateVersion7()}"));
                return await CountAsync(api, "redis", "miss") > before;
            });
        }
    }

    /// <summary>What an API has counted.</summary>
    public async Task<double> CountAsync(HostProcess api, string layer, string result)
    {
        using var http = new HttpClient();
        var metrics = await http.GetStringAsync(new Uri(api.Url, "metrics"));
        var line = Counted().Matches(metrics).Single(one => one.Groups["layer"].Value == layer && one.Groups["result"].Value == result);
        return double.Parse(line.Groups["count"].Value, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex("""^queuescale_cache_requests_total\{layer="(?<layer>\w+)",result="(?<result>\w+)"\} (?<count>\S+)$""", RegexOptions.Multiline)]
    private static partial Regex Counted();
}
