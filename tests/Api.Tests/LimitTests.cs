using System.Net;
using System.Net.Http.Headers;
using QueueScale.Api;

namespace QueueScale.Tests;

/// <summary>An API with narrow limits.</summary>
public sealed class LimitTests(Stage stage, Servers servers) : IClassFixture<Stage>
{
    private const int Most = 20;

    [Fact]
    public async Task A_key_that_asks_too_often_is_told_when_to_come_again_and_no_other_key_is_kept_out()
    {
        var url = (await stage.StartApiAsync(settings: ("Api__RequestsPerMinute", $"{Most}"))).Url;
        using var client = With(url, Stage.Key);
        using var other = With(url, await NewKeyAsync(url));

        var answers = new List<Answer>();
        while (answers.Count <= Most)
        {
            answers.Add(await GetAsync(client));
        }

        var (first, last) = (answers[0], answers[^1]);
        last.MustRefuse(429);
        Assert.Equal(Most - 1, answers.Count(answer => answer.Status == 200)); // the key itself was one
        Assert.Equal(($"{Most}", "0"), (Header(last, "RateLimit-Limit"), Header(last, "RateLimit-Remaining")));
        Assert.InRange(int.Parse(Header(last, "RateLimit-Reset"), null), 1, 60);
        Assert.Equal(Header(last, "RateLimit-Reset"), Header(last, "Retry-After"));
        Assert.Equal((200, $"{Most}"), (first.Status, Header(first, "RateLimit-Limit")));
        Assert.Equal(200, (await GetAsync(other)).Status);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("health/ready", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task With_Redis_the_limit_holds_for_all_APIs_together_and_without_it_for_each()
    {
        var urls = (await Task.WhenAll(((string[])["one", "two"]).Select(name => stage.StartApiAsync(name, settings: [("Api__RequestsPerMinute", $"{Most}"), ("ConnectionStrings__Redis", stage.Redis)])))).Select(api => api.Url).ToArray();
        string[] keys = [await NewKeyAsync(urls[0]), await NewKeyAsync(urls[0])];
        Assert.Equal((Most, Most), await AskAsync(keys[0], 2 * Most));
        servers.All.Redis.Process!.SignalAll(Signal.Stop);
        try
        {
            Assert.Equal((2 * Most, Most), await AskAsync(keys[1], 3 * Most));
            Assert.Equal((0, 2), await AskAsync(keys[0], 2)); // each API has counted on
        }
        finally
        {
            servers.All.Redis.Process!.SignalAll(Signal.Continue);
        }

        async Task<(int Answered, int Refused)> AskAsync(string key, int times)
        {
            using HttpClient one = With(urls[0], key), two = With(urls[1], key);
            var statuses = new List<int>();
            for (var i = 0; i < times; i++)
            {
                statuses.Add((await GetAsync(i % 2 == 0 ? one : two)).Status);
            }

            return (statuses.Count(status => status == 200), statuses.Count(status => status == 429));
        }
    }

    [Fact]
    public async Task No_more_than_some_queues_can_be_made_up()
    {
        var url = (await stage.StartApiAsync("namer")).Url;
        using var client = With(url, Stage.Key);
        await stage.ExecuteAsync("insert into job_types (name, queue, max_attempts, input_schema) values ('test.own', 'own-queue', 3, '{}') on conflict do nothing");
        await Waiting.UntilAsync(async () => (await SubmitAsync("known-soon")).Status == 202);
        var refused = (await SubmitAsync([.. Enumerable.Range(0, DepthDuty.MostStrange).Select(n => $"made-up-{n}")])).MustRefuse(422, $"/{DepthDuty.MostStrange - 1}/queue");
        Assert.Single(refused.Json.GetProperty("errors").EnumerateObject()); // one was there already
        Assert.Equal(202, (await SubmitAsync([.. Enumerable.Range(0, DepthDuty.MostStrange - 1).Select(n => $"made-up-{n}")])).Status);
        for (var times = 0; times < 3; times++)
        {
            (await SubmitAsync("one-more")).MustRefuse(422, "/0/queue");
            Assert.Equal(202, (await SubmitAsync("made-up-7", "own-queue", "known-soon")).Status);
            await Task.Delay(1100); // the depth has been read again
        }

        async Task<Answer> SubmitAsync(params string[] queues)
        {
            using var body = new StringContent($"[{string.Join(',', queues.Select(queue => $$"""{"type": "test.own", "queue": "{{queue}}", "delay": "PT1H"}"""))}]", System.Text.Encoding.UTF8, "application/json");
            return await Answer.OfAsync(await client.PostAsync(new Uri("v1/jobs/batch", UriKind.Relative), body));
        }
    }

    [Fact]
    public async Task A_request_that_takes_too_long_is_answered_and_waiting_for_a_job_is_not_meant()
    {
        var url = (await stage.StartApiAsync("patient", settings: ("Api__RequestTimeout", "00:00:01"))).Url;
        using var client = With(url, Stage.Key);
        using (var slow = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StreamContent(new Trickle()) { Headers = { ContentType = new("application/json") } } })
        {
            var begun = TimeProvider.System.GetTimestamp();
            var answer = await Answer.OfAsync(await client.SendAsync(slow));
            answer.MustRefuse(503);
            Assert.Contains("Api:RequestTimeout", answer.Text("detail"), StringComparison.Ordinal);
            Assert.InRange(TimeProvider.System.GetElapsedTime(begun).TotalSeconds, 1, 8);
        }

        await using var database = stage.NewDatabase();
        await new JobTypes(database).RegisterAsync(RunningApi.Types, CancellationToken.None);
        using var waiting = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StringContent($$"""{"type": "{{RunningApi.Any}}"}""", Encoding.UTF8, "application/json"), Headers = { { "Prefer", "wait=2" } } };
        Assert.Equal(202, (await Answer.OfAsync(await client.SendAsync(waiting))).Status);
    }

    private static async Task<Answer> GetAsync(HttpClient client) => await Answer.OfAsync(await client.GetAsync(new Uri("v1/jobs", UriKind.Relative)));

    private static async Task<string> NewKeyAsync(Uri url)
    {
        using var client = With(url, Stage.Key);
        using var body = new StringContent("""{"name": "other", "scopes": ["read"]}""", Encoding.UTF8, "application/json");
        return (await Answer.OfAsync(await client.PostAsync(new Uri("v1/keys", UriKind.Relative), body))).Json.GetProperty("key").GetString()!;
    }

    private static string Header(Answer answer, string name) => Assert.Single(answer.Headers.GetValues(name));

    private static HttpClient With(Uri url, string key) => new() { BaseAddress = url, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };

    /// <summary>A body that comes fast enough for the web server, and takes two seconds.</summary>
    private sealed class Trickle : Stream
    {
        private int left = 40;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (left-- == 0)
            {
                return 0;
            }

            await Task.Delay(50, cancellationToken);
            buffer.Span[..4000].Fill((byte)' ');
            return 4000; // less stays in the client's buffer
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
