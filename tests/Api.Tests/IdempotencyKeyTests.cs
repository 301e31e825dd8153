using QueueScale.Client;

namespace QueueScale.Tests;

[Collection(OneApi.Name)]
public sealed class IdempotencyKeyTests(RunningApi api)
{
    private const string Job = $$"""{"type": "{{RunningApi.Any}}", "input": {"n": 1}, "tags": ["once"]}""";

    [Fact]
    public async Task The_same_key_and_body_answer_with_the_same_job_as_it_is_now()
    {
        var key = Guid.NewGuid().ToString();
        var first = await SubmitAsync("v1/jobs", Job, key);
        Assert.Equal((202, false), (first.Status, IsReplay(first)));
        await api.Stage.ExecuteAsync($"update jobs set state = 7, finished_at = clock_timestamp() where id = '{first.JobId}'; select queuescale_recount()");
        var rows = await api.RowsAsync();
        var again = await SubmitAsync("v1/jobs", Job, key);
        Assert.Equal((202, true, first.JobId, "cancelled"), (again.Status, IsReplay(again), again.JobId, again.Json.GetProperty("state").GetString()));
        Assert.Equal(first.Headers.Location, again.Headers.Location);
        Assert.Equal(rows, await api.RowsAsync());
    }

    [Fact]
    public async Task Quoted_as_in_the_draft_and_bare_it_is_the_same_key()
    {
        var key = Guid.NewGuid().ToString();
        var first = await SubmitAsync("v1/jobs", Job, $"\"{key}\"");
        Assert.Equal(first.JobId, (await SubmitAsync("v1/jobs", Job, key)).JobId);
    }

    [Fact]
    public async Task Another_body_with_the_key_is_refused()
    {
        var key = Guid.NewGuid().ToString();
        await SubmitAsync("v1/jobs", Job, key);
        var refused = await api.RefusesAsync(() => SubmitAsync("v1/jobs", Job.Replace('1', '2'), key), 422);
        Assert.Contains("Idempotency-Key", refused.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await api.RefusesAsync(() => SubmitAsync("v1/jobs/batch", $"[{Job}]", key), 422);
    }

    [Fact]
    public async Task A_batch_is_made_once()
    {
        var key = Guid.NewGuid().ToString();
        var body = $"[{Job}, {Job}, {Job}]";
        var first = await SubmitAsync("v1/jobs/batch", body, key);
        var again = await SubmitAsync("v1/jobs/batch", body, key);
        Assert.Equal((202, false, true), (again.Status, IsReplay(first), IsReplay(again)));
        Assert.Equal(first.Body, again.Body);
    }

    [Theory]
    [InlineData("v1/jobs", "{0}")]
    [InlineData("v1/jobs/batch", "[{0}]")]
    public async Task What_was_accepted_is_said_so_again_though_it_would_be_refused_now(string path, string form)
    {
        var (type, key) = ($"test.{Guid.NewGuid():N}", Guid.NewGuid().ToString());
        var body = form.Replace("{0}", $$"""{"type": "{{type}}", "input": {"n": 1 } }""", StringComparison.Ordinal);
        await api.Stage.ExecuteAsync($"insert into job_types (name, queue, max_attempts, input_schema) values ('{type}', 'default', 3, '{{}}')");
        var first = await SubmitAsync(path, body, key);
        Assert.Equal(202, first.Status);
        await api.Stage.ExecuteAsync($$"""update job_types set input_schema = '{"required": ["m"]}' where name = '{{type}}'""");
        await Waiting.UntilAsync(async () => (await SubmitAsync(path, body, Guid.NewGuid().ToString())).Status == 422);
        var again = await SubmitAsync(path, body, key);
        Assert.Equal((202, true), (again.Status, IsReplay(again)));
        Assert.Equal(path == "v1/jobs" ? $"{first.JobId}" : first.Body, path == "v1/jobs" ? $"{again.JobId}" : again.Body);
        Assert.Equal(422, (await SubmitAsync(path, body.Replace("\"n\": 1", "\"n\": 2", StringComparison.Ordinal), key)).Status);
        await api.Stage.ExecuteAsync($"delete from job_types where name = '{type}'");
    }

    [Fact]
    public async Task A_refused_submission_does_not_use_its_key_up()
    {
        var key = Guid.NewGuid().ToString();
        await api.RefusesAsync(() => SubmitAsync("v1/jobs", """{"type": "no.such"}""", key), 422, "/type");
        Assert.Equal(202, (await SubmitAsync("v1/jobs", Job, key)).Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\"\"")]
    [InlineData("two words")]
    [InlineData("one", "two")]
    public async Task What_is_no_key_is_refused(params string[] keys) => await api.RefusesAsync(() => SubmitAsync("v1/jobs", Job, keys), 400);

    [Fact]
    public async Task A_key_has_255_characters_at_most()
    {
        Assert.Equal(202, (await SubmitAsync("v1/jobs", Job, Long(255))).Status);
        await api.RefusesAsync(() => SubmitAsync("v1/jobs", Job, Long(256)), 400);

        static string Long(int length) => Guid.NewGuid().ToString().PadRight(length, 'x');
    }

    [Fact]
    public async Task The_typed_client_sends_it()
    {
        var client = api.Stage.Client(api.Process);
        var (job, key) = (new SubmitJob { Type = RunningApi.Any }, Guid.NewGuid().ToString());
        Assert.Equal((await client.SubmitAsync(job, key)).Id, (await client.SubmitAsync(job, key)).Id);
        Assert.Equal(await client.SubmitBatchAsync([job, job], key + "b"), await client.SubmitBatchAsync([job, job], key + "b"));
    }

    private static bool IsReplay(Answer answer) => answer.Headers.TryGetValues("Idempotent-Replayed", out var values) && values.Single() == "true";

    private async Task<Answer> SubmitAsync(string path, string body, params string[] keys)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", keys);
        return await api.SendAsync(request);
    }

    [Fact]
    public async Task The_typed_client_repeats_a_submission_with_a_key_whose_answer_was_lost_and_no_other()
    {
        using var answers = new LostAnswers(3);
        using var http = new HttpClient(answers) { BaseAddress = api.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        using var client = new QueueScaleClient(http);
        var before = await api.Stage.ScalarAsync<long>("select count(*) from jobs");
        await client.SubmitAsync(new SubmitJob { Type = RunningApi.Any }, $"{Guid.NewGuid()}");
        Assert.Equal((before + 1, 0), (await api.Stage.ScalarAsync<long>("select count(*) from jobs"), answers.Left));

        answers.Left = 1;
        await Assert.ThrowsAsync<HttpRequestException>(() => client.SubmitAsync(new SubmitJob { Type = RunningApi.Any }));
    }

    /// <summary>Sends each request, and loses the first answers.</summary>
    private sealed class LostAnswers(int left) : DelegatingHandler(new SocketsHttpHandler())
    {
        public int Left { get; set; } = left;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (Left == 0)
            {
                return answer;
            }

            answer.Dispose();
            Left--;
            throw new HttpRequestException("The answer was lost.");
        }
    }
}
