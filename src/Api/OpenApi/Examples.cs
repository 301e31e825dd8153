using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>An example of each body and answer, by the name of its schema.</summary>
internal static class Examples
{
    private static readonly JsonSerializerOptions Json = ApiJson.NewOptions();
    private static readonly Guid Id = Guid.Parse("0192f0c1-8a3b-7c4d-9e5f-60718293a4b5");
    private static readonly DateTime At = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);

    private static readonly SubmitJob Submission = new()
    {
        Type = "csv.import",
        Input = JsonElement.Parse("""{"source": "file:orders.csv", "table": "orders"}"""),
        Tags = ["customer-42"],
    };

    private static readonly Job Queued = new()
    {
        Id = Id,
        Type = "csv.import",
        Queue = "bulk",
        Priority = JobPriority.Normal,
        State = JobState.Queued,
        Attempt = 0,
        MaxAttempts = 5,
        Interruptions = 0,
        Crashes = 0,
        Input = Submission.Input,
        Tags = Submission.Tags,
        CreatedAt = At,
        Links = JobLinks.Of(Id),
    };

    private static readonly Job Succeeded = Queued with
    {
        State = JobState.Succeeded,
        Progress = new JobProgress(100_000, 100_000, 100),
        Attempt = 1,
        Interruptions = 1,
        Result = JsonElement.Parse("""{"rows": 100000, "rejected": 0}"""),
        StartedAt = At.AddSeconds(1),
        CheckpointedAt = At.AddSeconds(9),
        FinishedAt = At.AddSeconds(10),
    };

    private static readonly Schedule Nightly = new()
    {
        Name = "nightly",
        Cron = "30 2 * * *",
        TimeZone = "Europe/Berlin",
        Job = Submission,
        Paused = false,
        NextAt = At.AddHours(13.5),
        LastAt = At.AddHours(-10.5),
        LastJob = Id,
        Links = new ScheduleLinks("/v1/schedules/nightly", $"/v1/jobs/{Id}"),
    };

    private static readonly QueueInfo Bulk = new() { Name = "bulk", Ready = 120, Running = 64, Waiting = 3, OldestSeconds = 12.5, DrainSeconds = 40, Rates = new QueueRates(10.5, 12.1), Workers = 2 };

    private static readonly ApiKey Reader = new()
    {
        Id = "k3y0f1tself0",
        Name = "the dashboard",
        Tenant = "shop",
        Scopes = [KeyScope.Read],
        CreatedAt = At,
        Links = new ApiKeyLinks("/v1/keys/k3y0f1tself0"),
    };

    private static readonly Dictionary<string, object> Bodies = new()
    {
        [nameof(SubmitJob)] = Submission,
        [nameof(Job)] = Succeeded,
        ["PageOfJob"] = new Page<Job>([Succeeded with { Input = null, Result = null }], $"/v1/jobs?limit=1&after={Id}"),
        [nameof(BatchAccepted)] = new BatchAccepted([Id]),
        ["PageOfRun"] = new Page<Run>(
        [
            new Run { Epoch = 1, Worker = "worker-1", StartedAt = At.AddSeconds(1), EndedAt = At.AddSeconds(5), How = RunEnding.Interrupted, FromCheckpoint = 0 },
            new Run { Epoch = 2, Worker = "worker-2", StartedAt = At.AddSeconds(5.2), EndedAt = At.AddSeconds(10), How = RunEnding.Succeeded, FromCheckpoint = 4, HandoverSeconds = 0.2 },
        ]),
        [nameof(JobExplanation)] = new JobExplanation { Id = Id, State = JobState.Queued, Reason = WaitReason.Behind, Text = "120 jobs of queue bulk go first.", Before = 120, Workers = 2, Slots = 64, StartsAt = At.AddSeconds(40) },
        [nameof(BulkCount)] = new BulkCount(1200),
        [nameof(BulkRequest)] = new BulkRequest { Id = Id, Action = BulkAction.Retry, FromStart = false, Rate = 100, Matched = 1200, Done = 400, CreatedAt = At, Links = new BulkLinks($"/v1/bulk/{Id}") },
        ["PageOfJobTypeInfo"] = new Page<JobTypeInfo>(
            [new JobTypeInfo { Name = "csv.import", Queue = "bulk", MaxAttempts = 5, Timeout = "PT1H", InputSchema = JsonElement.Parse("""{"type": "object"}"""), RegisteredAt = At }]),
        ["PageOfWorkerInfo"] = new Page<WorkerInfo>(
            [new WorkerInfo { Name = "worker-1", Host = "node-7", Pid = 1, Version = "0.1.0", Queues = ["bulk", "default"], Slots = 32, Busy = 12, Draining = false, StartedAt = At }]),
        [nameof(QueueInfo)] = Bulk,
        ["PageOfQueueInfo"] = new Page<QueueInfo>([Bulk]),
        [nameof(QueueScaleInfo)] = new QueueScaleInfo { Queue = "bulk", Ready = 120, Running = 64, Backlog = 184, Slots = 64, Workers = 2, OldestSeconds = 12.5, DrainSeconds = 40, DesiredWorkers = 3 },
        [nameof(PutSchedule)] = new PutSchedule { Cron = Nightly.Cron, TimeZone = Nightly.TimeZone, Job = Submission },
        [nameof(Schedule)] = Nightly,
        [nameof(NewApiKey)] = new NewApiKey { Name = Reader.Name, Scopes = Reader.Scopes },
        [nameof(ApiKey)] = Reader,
        ["PageOfApiKey"] = new Page<ApiKey>([Reader]),
        ["PageOfSchedule"] = new Page<Schedule>([Nightly]),
    };

    /// <summary>Shows what stands in a body or an answer.</summary>
    public static void AddTo(OpenApiMediaType content, string type, int status = 0) => content.Example = type switch
    {
        "text/event-stream" => $"event: state\nid: 7\ndata: {Node(Succeeded with { Input = null })!.ToJsonString()}\n\n",
        JsonBody.LinesType or JsonBody.OtherLinesType => $"{Node(Submission)!.ToJsonString()}\n",
        _ => Of(content.Schema, status),
    };

    private static JsonNode? Of(IOpenApiSchema? schema, int status) => schema switch
    {
        OpenApiSchemaReference { Reference.Id: nameof(ApiKey) } when status == StatusCodes.Status201Created => Node(Reader with { Key = "qs_k3y0f1tself0_…" }),
        OpenApiSchemaReference { Reference.Id: nameof(Job) } when status == StatusCodes.Status202Accepted => Node(Queued),
        OpenApiSchemaReference { Reference.Id: { } id } when Bodies.TryGetValue(id, out var body) => Node(body),
        OpenApiSchema { Items: { } items } => new JsonArray(Of(items, status)),
        OpenApiSchema { AnyOf: [var first, ..] } => Of(first, status),
        _ => null,
    };

    private static JsonNode? Node(object body) => JsonSerializer.SerializeToNode(body, body.GetType(), Json);
}
