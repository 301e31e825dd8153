using System.Net.Http.Headers;

namespace QueueScale.Tests;

/// <summary>One API for all classes that only ask and are refused: job types of the tests' own, and no worker that would run anything.</summary>
[CollectionDefinition(Name)]
public sealed class OneApi : ICollectionFixture<RunningApi>
{
    public const string Name = "One API";
}

/// <summary>An API process and a client that sends whatever it is told to.</summary>
public class RunningApi(Servers servers) : IAsyncLifetime
{
    /// <summary>Takes every input.</summary>
    public const string Any = "test.any";

    /// <summary>Takes what <see cref="StrictSchema"/> says.</summary>
    public const string Strict = "test.strict";

    /// <summary>What the default of Api:MaxInputBytes is.</summary>
    public const int MaxInput = 262_144;

    public const string StrictSchema = """
        {
          "type": "object",
          "properties": {
            "name": {"type": "string", "minLength": 2, "maxLength": 5},
            "nick": {"type": ["string", "null"], "maxLength": 5},
            "count": {"type": "integer", "minimum": 1, "maximum": 10},
            "big": {"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807},
            "ratio": {"type": "number", "minimum": 0},
            "flag": {"type": "boolean"},
            "mode": {"enum": ["append", "replace", null]},
            "code": {"type": "string", "pattern": "^(?:[a-z]+)$(?!\\n)"},
            "at": {"type": "string", "format": "date-time"},
            "ref": {"type": "string", "format": "uuid"},
            "list": {"type": ["array", "null"], "maxItems": 2, "items": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": false}},
            "columns": {"type": ["array", "null"], "items": {"anyOf": [
              {"type": "string", "pattern": "^[a-z]+$"},
              {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": false}]}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "tree": {"type": ["object", "null"], "properties": {"leaf": {"type": "integer"}, "tree": {"$ref": "#/properties/tree"}}, "additionalProperties": false},
            "odd": {"type": "object", "properties": {"a/b": {"type": "integer"}, "c~d": {"type": "integer"}, "e.f": {"type": "integer"}, "g[0]": {"type": "integer"}, "": {"type": "integer"}}},
            "free": true,
            "none": false
          },
          "required": ["name"],
          "additionalProperties": false
        }
        """;

    private HttpClient client = null!;

    /// <summary>Settings that are not the defaults.</summary>
    protected virtual (string Key, string? Value)[] Settings => [];

    public Stage Stage { get; } = new(servers);

    public HostProcess Process { get; private set; } = null!;

    public Uri Url => Process.Url;

    public static IEnumerable<RegisteredType> Types =>
    [
        new(Any, "default", 3, null, "{}"),
        new(Strict, "strict", 5, TimeSpan.FromMinutes(1), StrictSchema),
    ];

    public async ValueTask InitializeAsync()
    {
        await Stage.InitializeAsync();
        await using var database = Stage.NewDatabase();
        await new JobTypes(database).RegisterAsync(Types, CancellationToken.None);
        Process = await Stage.StartApiAsync(settings: Settings);
        client = NewClient();
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await Stage.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A client with the right key, which follows nothing and waits ten seconds at most.</summary>
    public HttpClient NewClient() => new()
    {
        BaseAddress = Url,
        Timeout = TimeSpan.FromSeconds(10),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Stage.Key) },
    };

    public async Task<Answer> GetAsync(string path) => await Answer.OfAsync(await client.GetAsync(new Uri(path, UriKind.Relative)));

    public async Task<Answer> SendAsync(HttpRequestMessage request) => await Answer.OfAsync(await client.SendAsync(request));

    /// <summary>Sends a body as JSON, byte for byte.</summary>
    public async Task<Answer> PostAsync(string path, byte[] body)
    {
        using var content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } };
        return await Answer.OfAsync(await client.PostAsync(new Uri(path, UriKind.Relative), content));
    }

    /// <summary>Puts a schedule, byte for byte.</summary>
    public async Task<Answer> PutScheduleAsync(string name, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await Answer.OfAsync(await client.PutAsync(new Uri($"v1/schedules/{Uri.EscapeDataString(name)}", UriKind.Relative), content));
    }

    /// <summary>Deletes whatever is there.</summary>
    public async Task<Answer> DeleteAsync(string path) => await Answer.OfAsync(await client.DeleteAsync(new Uri(path, UriKind.Relative)));

    /// <summary>Sends a submission.</summary>
    public Task<Answer> SubmitAsync(string body) => PostAsync("v1/jobs", Encoding.UTF8.GetBytes(body));

    /// <summary>Sends a submission of a type that takes every input, with further members.</summary>
    public Task<Answer> SubmitAnyAsync(string members) => SubmitAsync($$"""{"type": "{{Any}}", {{members}}}""");

    /// <summary>Sends an input to the type with a schema.</summary>
    public Task<Answer> SubmitStrictAsync(string input) => SubmitAsync($$"""{"type": "{{Strict}}", "input": {{input}}}""");

    /// <summary>Sends a batch.</summary>
    public Task<Answer> SubmitBatchAsync(string body) => PostAsync("v1/jobs/batch", Encoding.UTF8.GetBytes(body));

    /// <summary>Submits a job that must be accepted.</summary>
    public async Task<Guid> AcceptedAsync(string members = "\"tags\": []")
    {
        var answer = await SubmitAnyAsync(members);
        Assert.True(answer.Status == 202, answer.Body);
        return answer.JobId;
    }

    /// <summary>Lets a job run on a worker that is not there but counts as alive, so that the job is not handed over.</summary>
    public Task LetRunAsync(Guid id) => Stage.ExecuteAsync(
        $"""
        with w as (
          insert into workers (id, name, host, pid, version, queues, slots, pulse_at, lease) values (gen_random_uuid(), 'nobody', 'here', 1, '1', '{"{}"}', 1, now() + '1 day', '1 hour') returning id)
        update jobs set state = 2, epoch = 1, started_at = clock_timestamp(), worker = w.id from w where jobs.id = '{id}'
        """);

    /// <summary>Asserts that a request is refused and leaves no trace in the database.</summary>
    public async Task<Answer> RefusesAsync(Func<Task<Answer>> request, int status, params string[] pointers)
    {
        var before = await RowsAsync();
        var answer = await request();
        answer.MustRefuse(status, pointers);
        Assert.Equal(before, await RowsAsync());
        return answer;
    }

    /// <summary>Row counts that a submission would change. Waits for bulk requests to finish, because they change the same counts.</summary>
    public async Task<string> RowsAsync()
    {
        await Waiting.UntilAsync(() => Stage.ScalarAsync<bool>("select not exists (select from bulk_requests where finished_at is null)"));
        return await Stage.ScalarAsync<string>(
            "select concat((select count(*) from jobs), ' jobs, ', (select count(*) from schedules), ' schedules, ', (select coalesce(sum(entered + waiting), 0) from queue_counts), ' counted')");
    }
}
