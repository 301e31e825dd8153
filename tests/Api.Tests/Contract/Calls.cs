using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>Makes the calls of the description so that they succeed, and so that each of their other answers comes about.</summary>
/// <remarks>Most of it follows from the description. What does not stands in the tables: a new call or answer that nothing here brings about fails the tests that run over all of them.</remarks>
/// <param name="api">The API.</param>
/// <param name="key">Whose jobs, schedules and keys they are about; by default the first tenant's.</param>
public sealed class Calls(RunningApi api, string? key = null)
{
    /// <summary>The queue of the jobs that are made here.</summary>
    private readonly string queue = Servers.NewName();

    private const string Submission = $$"""{"type": "{{RunningApi.Any}}"}""";
    private const string PutSchedule = $$"""{"cron": "0 3 1 1 *", "job": {{Submission}} }""";

    /// <summary>Bodies that are accepted, by the names of their schemas.</summary>
    private static readonly Dictionary<string, string> Bodies = new()
    {
        ["SubmitJob"] = Submission,
        ["SubmitBatch"] = $"[{Submission}]",
        ["PutSchedule"] = PutSchedule,
        ["CreateKey"] = """{"name": "made by a test", "scopes": ["admin"]}""",
    };

    /// <summary>What a call needs to be there where the names of what varies in its address do not say it.</summary>
    private Dictionary<string, Func<Task<string>>> Subjects => new()
    {
        ["GetKey"] = KeyAsync,
        ["RotateKey"] = KeyAsync,
        ["RevokeKey"] = KeyAsync,
        ["GetJob"] = FailedAsync,
        ["ListRuns"] = FailedAsync,
        ["WatchJob"] = FailedAsync, // its events end at once
        ["RetryJob"] = FailedAsync,
        ["GetBulkRequest"] = BulkAsync,
        ["PutSchedule"] = () => Task.FromResult(Servers.NewName()),
        ["PauseQueue"] = () => Task.FromResult(Servers.NewName()),
        ["ResumeQueue"] = () => Task.FromResult(Servers.NewName()),
        ["DrainWorker"] = WorkerAsync,
    };

    /// <summary>Queries without which a call would be refused, or would touch what is not its own.</summary>
    private Dictionary<string, string> Queries => new()
    {
        ["RetryJobs"] = $"?queue={queue}",
        ["CancelJobs"] = $"?queue={queue}",
    };

    /// <summary>Answers that do not follow from the description.</summary>
    private Dictionary<(string Call, int Status), Func<Task<HttpRequestMessage>>> Special => new()
    {
        [("SubmitJob", 200)] = FinalAtOnceAsync,
        [("SubmitJob", 429)] = async () => await ToFullQueueAsync("SubmitJob", body => body),
        [("SubmitBatch", 429)] = async () => await ToFullQueueAsync("SubmitBatch", body => $"[{body}]"),
        [("GetJob", 304)] = async () => With(await GoodAsync(Contract.Kept.Find("GetJob")), ("If-None-Match", "*")),
        [("CancelJob", 409)] = async () => Make(Contract.Kept.Find("CancelJob"), await CancelledAsync()),
        [("RetryJob", 409)] = async () => Make(Contract.Kept.Find("RetryJob"), await JobAsync()),
        [("RotateKey", 409)] = async () => Make(Contract.Kept.Find("RotateKey"), await RevokedAsync()),
        [("RetryJobs", 200)] = () => Task.FromResult(Make(Contract.Kept.Find("RetryJobs"), query: "?dryRun=true")),
        [("CancelJobs", 200)] = () => Task.FromResult(Make(Contract.Kept.Find("CancelJobs"), query: $"?dryRun=true&queue={queue}")),
        [("PutSchedule", 200)] = async () => Make(Contract.Kept.Find("PutSchedule"), await ScheduleAsync(), body: PutSchedule),
    };

    /// <summary>A request that succeeds.</summary>
    public async Task<HttpRequestMessage> GoodAsync(Call call) => About(call, await SubjectAsync(call));

    /// <summary>The same about what is there already.</summary>
    public HttpRequestMessage About(Call call, string? subject) => Make(call, subject, Queries.GetValueOrDefault(call.Id, ""), Bodies.GetValueOrDefault(call.Id));

    /// <summary>A request that is answered with this status.</summary>
    public async Task<HttpRequestMessage> ForAsync(Call call, int status)
    {
        if (Special.TryGetValue((call.Id, status), out var make))
        {
            return await make();
        }

        var good = await GoodAsync(call);
        var address = good.RequestUri!.OriginalString;
        switch (status)
        {
            case 200 or 201 or 202 or 204 when status == call.Answers.Keys.Where(one => one is >= 200 and < 300).Max():
                return good;
            case 400 when good.Content is null:
                good.RequestUri = new Uri($"{address}{(address.Contains('?', StringComparison.Ordinal) ? '&' : '?')}nonsense=1", UriKind.Relative);
                return good;
            case 400:
                return With(good, body: "{");
            case 401:
                return As("qs_nobody-has-this-key-0123456789", good);
            case 403:
                return As(await KeyOfAsync([.. Enum.GetNames<KeyScope>().Select(scope => scope.ToLowerInvariant()).Except([call.Scope])]), good);
            case 404:
                return Make(call, call.InPath.Single() == "id" ? $"{Guid.CreateVersion7()}" : "not a name", body: Bodies.GetValueOrDefault(call.Id));
            case 413:
                return With(good, body: $"\"{new string('x', ContractApi.MaxBatchBytes)}\"");
            case 415:
                return With(good, contentType: "text/plain");
            case 422 when good.Content is not null:
                return With(good, body: Add(Bodies[call.Id], "nonsense"));
            default:
                throw new InvalidOperationException($"Nothing brings it about that {call} answers {status}: add a line to {nameof(Calls)}.");
        }
    }

    /// <summary>A body that has another member as well, at its beginning.</summary>
    public static string Add(string body, string member, string value = "1")
    {
        var open = body.IndexOf('{', StringComparison.Ordinal);
        return $"{body[..(open + 1)]}{JsonSerializer.Serialize(member)}: {value}, {body[(open + 1)..]}";
    }

    /// <summary>A body that is accepted.</summary>
    public static string Body(Call call) => Bodies[call.Id];

    /// <summary>A request to a call's address.</summary>
    /// <param name="call">The call.</param>
    /// <param name="subject">What stands where the address varies.</param>
    /// <param name="query">With its question mark.</param>
    /// <param name="body">JSON.</param>
    public static HttpRequestMessage Make(Call call, string? subject = null, string query = "", string? body = null)
    {
        var path = string.Join('/', call.Path.TrimStart('/').Split('/').Select(part => part.StartsWith('{') ? Uri.EscapeDataString(subject!) : part));
        return With(new HttpRequestMessage(call.Method, new Uri(path + query, UriKind.Relative)), body: body);
    }

    private static HttpRequestMessage With(HttpRequestMessage request, (string Name, string Value)? header = null, string? body = null, string? contentType = null)
    {
        if (header is { } one)
        {
            request.Headers.TryAddWithoutValidation(one.Name, one.Value);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        }

        if (contentType is not null)
        {
            request.Content!.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        }

        return request;
    }

    /// <summary>Sends a request for whoever these calls are about.</summary>
    public Task<Answer> SendAsync(HttpRequestMessage request) => api.SendAsync(key is null || request.Headers.Authorization is not null ? request : As(key, request));

    /// <summary>A request with this key.</summary>
    public static HttpRequestMessage As(string key, HttpRequestMessage request)
    {
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return request;
    }

    /// <summary>A key with these scopes.</summary>
    public async Task<string> KeyOfAsync(string[] scopes, string? tenant = null)
    {
        var body = JsonSerializer.Serialize(new { name = "made by a test", scopes, tenant });
        var made = await SendAsync(Make(Contract.Kept.Find("CreateKey"), body: body));
        Assert.True(made.Status == 201, made.Body);
        return made.Text("key")!;
    }

    /// <summary>What stands in a key for all to see.</summary>
    public static string IdOf(string key) => key.Split('_')[1];

    /// <summary>What the call is about, made anew; null where it is about nothing in particular.</summary>
    public async Task<string?> SubjectAsync(Call call) => Subjects.TryGetValue(call.Id, out var make) ? await make() : call.InPath.SingleOrDefault() switch
    {
        null => null,
        "id" => await JobAsync(),
        "queue" => "default",
        "name" => await ScheduleAsync(),
        var other => throw new InvalidOperationException($"Nothing is known to stand for {{{other}}} in {call}: add a line to {nameof(Calls)}."),
    };

    private async Task<string> JobAsync()
    {
        var made = await SendAsync(Make(Contract.Kept.Find("SubmitJob"), body: Add(Submission, "queue", $"\"{queue}\"")));
        Assert.True(made.Status == 202, made.Body);
        return $"{made.JobId}";
    }

    /// <summary>A worker that is not there but counts as alive.</summary>
    private async Task<string> WorkerAsync()
    {
        var name = Servers.NewName();
        await api.Stage.ExecuteAsync($$"""insert into workers (id, name, host, pid, version, queues, slots, pulse_at, lease) values (gen_random_uuid(), '{{name}}', 'here', 1, '1', '{}', 1, now() + '1 day', '1 hour')""");
        return name;
    }

    private async Task<string> KeyAsync() => IdOf(await KeyOfAsync(["admin"])); // nobody grants what they lack

    private async Task<string> RevokedAsync()
    {
        var id = await KeyAsync();
        Assert.Equal(204, (await SendAsync(Make(Contract.Kept.Find("RevokeKey"), id))).Status);
        return id;
    }

    /// <summary>A job that has all that a job can have, and has run.</summary>
    private async Task<string> FailedAsync()
    {
        var id = await JobAsync();
        await api.Stage.ExecuteAsync($$"""
            insert into runs (job, epoch, worker, started_at, ended_at, how, error, from_seq, handover_from) values ('{{id}}', 1, '{{id}}', now(), now(), 'failed', '{"code": "c", "message": "m"}', 0, now());
            update jobs set state = 6, epoch = 2, attempts = 1, progress = '{"done": 5, "total": 10, "percent": 50, "message": "half"}', error = '{"code": "c", "message": "m"}', result = '[null]', tags = '{t}',
              started_at = now(), finished_at = now(), checkpointed_at = now(), run_at = now() where id = '{{id}}'
            """);
        return id;
    }

    private async Task<string> CancelledAsync()
    {
        var id = await JobAsync();
        Assert.Equal(200, (await SendAsync(Make(Contract.Kept.Find("CancelJob"), id))).Status);
        return id;
    }

    private async Task<string> BulkAsync() => (await SendAsync(Make(Contract.Kept.Find("RetryJobs"), query: $"?queue={queue}"))).Text("id")!;

    private async Task<string> ScheduleAsync()
    {
        var name = Servers.NewName();
        Assert.Equal(201, (await SendAsync(Make(Contract.Kept.Find("PutSchedule"), name, body: PutSchedule))).Status);
        return name;
    }

    /// <summary>A repeat of a submission whose job is final meanwhile.</summary>
    private async Task<HttpRequestMessage> FinalAtOnceAsync()
    {
        var once = ("Idempotency-Key", Servers.NewName());
        var first = await SendAsync(With(await GoodAsync(Contract.Kept.Find("SubmitJob")), once));
        Assert.Equal(200, (await SendAsync(Make(Contract.Kept.Find("CancelJob"), $"{first.JobId}"))).Status);
        return With(With(await GoodAsync(Contract.Kept.Find("SubmitJob")), once), ("Prefer", "wait=10"));
    }

    private async Task<HttpRequestMessage> ToFullQueueAsync(string call, Func<string, string> body)
    {
        var submission = $$"""{"type": "{{RunningApi.Any}}", "queue": "{{ContractApi.Full}}"}""";
        if (await api.Stage.ScalarAsync<long>("select count(*) from jobs where queue = $1", ContractApi.Full) == 0)
        {
            Assert.Equal(202, (await api.SubmitBatchAsync($"[{string.Join(',', Enumerable.Repeat(submission, ContractApi.MaxBacklog))}]")).Status);
        }

        await Waiting.UntilAsync(async () => (await api.SubmitAsync(submission)).Status == 429);
        return Make(Contract.Kept.Find(call), body: body(submission));
    }
}
