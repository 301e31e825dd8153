using System.Text.Json;
using System.Xml;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Job types, workers and queues.</summary>
internal static class FleetEndpoints
{
    public static void MapFleet(this IEndpointRouteBuilder routes)
    {
        var fleet = routes.MapGroup("/v1").WithTags("Fleet").AddEndpointFilter(StoreDeadline.ApplyAsync);
        fleet.MapGet("/job-types", JobTypesAsync).WithName("ListJobTypes").Needs(KeyScope.Read).WithSummary("Lists the job types that workers have registered.").Produces<Page<JobTypeInfo>>().ProducesProblems(503);
        fleet.MapGet("/workers", WorkersAsync).WithName("ListWorkers").Needs(KeyScope.Operate).WithSummary("Lists the live workers.").Produces<Page<WorkerInfo>>().ProducesProblems(503);
        fleet.MapPost("/workers/{name}/drain", DrainAsync).WithName("DrainWorker").Needs(KeyScope.Operate).WithSummary("Lets a worker hand its jobs over and end, as after SIGTERM.").Produces<Page<WorkerInfo>>().ProducesProblems(404, 503);
        fleet.MapGet("/queues", QueuesAsync).WithName("ListQueues").Needs(KeyScope.Operate).WithSummary("Lists the queues.").Produces<Page<QueueInfo>>().ProducesProblems(503);
        fleet.MapGet("/queues/{queue}", QueueAsync).WithName("GetQueue").Needs(KeyScope.Operate).WithSummary("Reads a queue; one that nobody has used answers zeros.").Produces<QueueInfo>().ProducesProblems(404, 503);
        fleet.MapPost("/queues/{queue}/pause", PauseAsync).WithName("PauseQueue").Needs(KeyScope.Operate).WithSummary("Pauses a queue: what runs goes on, and no further job of it starts.").Produces<QueueInfo>().ProducesProblems(404, 503);
        fleet.MapPost("/queues/{queue}/resume", ResumeAsync).WithName("ResumeQueue").Needs(KeyScope.Operate).WithSummary("Resumes a paused queue: its jobs go on in their order.").Produces<QueueInfo>().ProducesProblems(404, 503);
        fleet.MapGet("/queues/{queue}/scale", ScaleAsync).WithName("ScaleQueue").Needs(KeyScope.Operate).WithSummary("What an autoscaler reads; a queue that nobody has used answers zeros.")
            .Produces<QueueScaleInfo>().ProducesProblems(404, 503);
    }

    private static async Task<Page<JobTypeInfo>> JobTypesAsync(HttpContext context, JobTypes types) =>
        new([.. (await types.AllAsync(context.RequestAborted)).Select(type =>
        {
            using var schema = JsonDocument.Parse(type.InputSchema);
            return new JobTypeInfo
            {
                Name = type.Name,
                Queue = type.Queue,
                MaxAttempts = type.MaxAttempts,
                Timeout = type.Timeout is { } timeout ? XmlConvert.ToString(timeout) : null,
                InputSchema = schema.RootElement.Clone(),
                RegisteredAt = type.RegisteredAt,
            };
        })]);

    private static async Task<Page<WorkerInfo>> WorkersAsync(HttpContext context, FleetReader fleet) => new(await fleet.WorkersAsync(context.RequestAborted));

    private static async Task<Page<WorkerInfo>> DrainAsync(string name, HttpContext context, FleetReader fleet) =>
        await fleet.AskToDrainAsync(name, context.RequestAborted) is { Count: > 0 } asked ? new(asked) : throw Refusal.NotFound($"No live worker has the name '{name}'. GET /v1/workers lists them.");

    private static async Task<Page<QueueInfo>> QueuesAsync(HttpContext context, FleetReader fleet, DepthDuty depth) =>
        new([.. (await fleet.QueuesAsync(context.RequestAborted)).Select(queue => Shown(queue, depth))]);

    private static async Task<QueueInfo> QueueAsync(string queue, HttpContext context, FleetReader fleet, DepthDuty depth) =>
        Shown(await fleet.QueueAsync(Valid(queue), context.RequestAborted), depth);

    private static async Task<QueueInfo> PauseAsync(string queue, HttpContext context, Queues queues, FleetReader fleet, DepthDuty depth)
    {
        await queues.PauseAsync(Valid(queue), context.RequestAborted);
        return await QueueAsync(queue, context, fleet, depth);
    }

    private static async Task<QueueInfo> ResumeAsync(string queue, HttpContext context, Queues queues, FleetReader fleet, DepthDuty depth)
    {
        await queues.ResumeAsync(Valid(queue), context.RequestAborted);
        return await QueueAsync(queue, context, fleet, depth);
    }

    private static QueueInfo Shown(QueueFigures queue, DepthDuty depth) => new()
    {
        Name = queue.Name,
        Paused = queue.Paused,
        Ready = queue.Ready,
        Running = queue.Running,
        Waiting = queue.Waiting,
        OldestSeconds = Math.Round(queue.OldestSeconds, 3),
        DrainSeconds = Math.Round(queue.DrainSeconds, 3),
        Rates = depth.Rates(queue.Name),
        Workers = queue.Workers,
    };

    private static string Valid(string queue) => QueueName.IsValid(queue) ? queue : throw Refusal.NotFound($"'{queue}' cannot be a queue: a name is {QueueName.Rule}.");

    private static async Task<QueueScaleInfo> ScaleAsync(string queue, HttpContext context, FleetReader fleet, IOptions<ApiOptions> options)
    {
        var figures = await fleet.QueueAsync(Valid(queue), context.RequestAborted);
        return new QueueScaleInfo
        {
            Queue = queue,
            Ready = figures.Ready,
            Running = figures.Running,
            Backlog = figures.Ready + figures.Running,
            Slots = figures.Slots,
            Workers = figures.Workers,
            OldestSeconds = Math.Round(figures.OldestSeconds, 3),
            DrainSeconds = Math.Round(figures.DrainSeconds, 3),
            DesiredWorkers = figures.DesiredWorkers(options.Value.TargetDrainTime),
        };
    }
}
