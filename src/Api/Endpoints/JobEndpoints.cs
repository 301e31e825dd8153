using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Submitting, reading and cancelling jobs.</summary>
internal static class JobEndpoints
{
    private const int MaxBatch = 10_000;

    private const string JobExample = "/v1/jobs/0192f0c1-8a3b-7c4d-9e5f-60718293a4b5";

    private static readonly JsonSerializerOptions Json = ApiJson.NewOptions();

    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/v1").WithTags("Jobs");
        jobs.MapPost("/jobs", SubmitAsync).WithName("SubmitJob").Needs(KeyScope.Submit).WithSummary("Submits a job: 202 once it is durable.")
            .Accepts<SubmitJob>("application/json").TakesIdempotencyKey(200, 202).TakesWait(200, 202).Produces<Job>(202).Produces<Job>().TellsLocation(JobExample, 200, 202).ProducesProblems(400, 413, 415, 422, 429, 503);
        jobs.MapPost("/jobs/batch", SubmitBatchAsync).WithName("SubmitBatch").Needs(KeyScope.Submit).WithSummary("Submits up to 10,000 jobs: all or none.")
            .Accepts<SubmitJob[]>("application/json", JsonBody.LinesType, JsonBody.OtherLinesType).TakesIdempotencyKey(202).Produces<BatchAccepted>(202).ProducesProblems(400, 413, 415, 422, 429, 503);
        jobs.MapGet("/jobs/{id}", ReadAsync).WithName("GetJob").Needs(KeyScope.Read).WithSummary("Reads a job, as it was at most two seconds ago; with Cache-Control: no-cache as it is now.").TakesQuery("fields").TakesWait(200, 304).TakesVersion().Produces<Job>().Produces(304).ProducesProblems(400, 404, 503);
        jobs.MapGet("/jobs/{id}/events", EventsAsync).WithName("WatchJob").Needs(KeyScope.Read).WithSummary("Tells what happens to a job, as server-sent events, until it is final.")
            .Produces<string>(200, "text/event-stream").ProducesProblems(404, 503);
        var reading = routes.MapGroup("/v1").WithTags("Jobs").AddEndpointFilter(StoreDeadline.ApplyAsync);
        reading.MapGet("/jobs", ListAsync).WithName("ListJobs").Needs(KeyScope.Read).WithSummary("Lists jobs, the newest first.").TakesQuery(JobQuery.OfList).Produces<Page<Job>>().ProducesProblems(400, 503);
        reading.MapGet("/jobs/{id}/runs", RunsAsync).WithName("ListRuns").Needs(KeyScope.Read).WithSummary("Lists the runs of a job, the first first.").Produces<Page<Run>>().ProducesProblems(404, 503);
        reading.MapGet("/jobs/{id}/explain", ExplainAsync).WithName("ExplainJob").Needs(KeyScope.Read).WithSummary("Says why a job waits, and for how long it will.").Produces<JobExplanation>().ProducesProblems(404, 503);
        reading.MapPost("/jobs/{id}/retry", RetryAsync).WithName("RetryJob").Needs(KeyScope.Submit).WithSummary("Runs a failed or cancelled job again, with all its attempts anew.")
            .TakesQuery("from").Produces<Job>().ProducesProblems(400, 404, 409, 503);
        reading.MapPost("/jobs/{id}/cancel", CancelAsync).WithName("CancelJob").Needs(KeyScope.Submit).WithSummary("Cancels a job that is not final yet.").Produces<Job>().ProducesProblems(404, 409, 503);
    }

    private static async Task SubmitAsync(HttpContext context, SubmissionReader reader, Submissions submissions, UniqueSubmissions uniques, JobViews views, Waiting waiting, DepthDuty depth, IOptions<ApiOptions> options)
    {
        var wait = Waiting.Wanted(context);
        IReadOnlyList<NewJob> jobs;
        SubmittedJobs submitted;
        long held;
        using (var body = await JsonBody.ReadAsync(context, reader.Longest))
        {
            held = 3 * body.Bytes.Length; // itself, and its input as text
            (jobs, submitted) = await AcceptAsync(async () => [await reader.ReadAsync(body.Json.RootElement, context.Tenant())], IdempotencyHeader.Read(context, body.Bytes), context, submissions, uniques, depth, options.Value);
        }

        Tell(context, jobs, submitted, depth);
        var id = submitted.Ids[0];
        var seen = wait is { } patience ? (await waiting.UntilFinalAsync(id, patience, held, context))?.Job : null;
        if (jobs is not [var job] || !submitted.New.TryGetValue(id, out var made))
        {
            seen = (await StoreDeadline.WithinAsync(limit => views.ReadNowAsync(id, context.Tenant(), limit), context.RequestAborted) ?? throw NoJob($"{id}")).Job;
        }
        else
        {
            seen = seen is null ? Accepted(job, made) : seen with { Input = Element(job.Input) };
        }

        await AnswerAsync(context, seen, wait is not null);
    }

    /// <summary>Reads and stores what was sent; what was accepted before is so again, whatever it holds and wherever it should go.</summary>
    /// <returns>The jobs as they were read, none where an earlier submission is told of; and what became of them.</returns>
    private static async Task<(IReadOnlyList<NewJob> Jobs, SubmittedJobs Submitted)> AcceptAsync(
        Func<Task<IReadOnlyList<NewJob>>> read, IdempotencyKey? key, HttpContext context, Submissions submissions, UniqueSubmissions uniques, DepthDuty depth, ApiOptions options)
    {
        IReadOnlyList<NewJob> jobs;
        try
        {
            jobs = await read();
            await MustFitAsync(jobs, context, uniques, depth, options);
        }
        catch (Refusal refusal) when (key is not null && refusal.Status is StatusCodes.Status413PayloadTooLarge or StatusCodes.Status422UnprocessableEntity or StatusCodes.Status429TooManyRequests)
        {
            if (await StoreDeadline.WithinAsync(limit => submissions.EarlierAsync(context.Tenant(), key, limit), context.RequestAborted) is not { } earlier)
            {
                throw;
            }

            return ([], new SubmittedJobs(earlier, new Dictionary<Guid, Submitted>(), IsReplay: true));
        }

        return (jobs, await StoreAsync(jobs, key, submissions, uniques));
    }

    /// <exception cref="Refusal">429: a queue would hold more than it may.</exception>
    private static async Task MustFitAsync(IReadOnlyList<NewJob> jobs, HttpContext context, UniqueSubmissions uniques, DepthDuty depth, ApiOptions options)
    {
        if (options.MaxBacklog is not { } most)
        {
            return;
        }

        foreach (var alike in jobs.GroupBy(job => job.Queue))
        {
            var (queue, more) = (alike.Key, alike.Count());
            if (more > most)
            {
                throw Refusal.Invalid(InvalidFields.Of("", $"holds {more} jobs for queue {queue}, which may hold {most} in all (Api:MaxBacklog)"));
            }

            if (depth.Backlog(queue) is { } backlog && backlog + more > most && await NewAsync([.. alike], context, uniques) is var fresh and > 0 && backlog + fresh > most)
            {
                throw new Refusal(429, "backlog-full", "The queue is full.", $"Queue {queue} holds {backlog} jobs of {most} that it may (Api:MaxBacklog); {fresh} more do not fit. Nothing was stored. Try again later, or let more workers serve it.") { RetryAfter = TimeSpan.FromSeconds(5) };
            }
        }
    }

    /// <summary>How many of these would be stored: not those whose unique key an unfinished job has.</summary>
    private static async Task<int> NewAsync(IReadOnlyCollection<NewJob> jobs, HttpContext context, UniqueSubmissions uniques)
    {
        string[] keys = [.. jobs.Select(job => job.UniqueKey).OfType<string>().Distinct()];
        var taken = keys.Length == 0 ? 0 : await StoreDeadline.WithinAsync(limit => uniques.TakenAsync(context.Tenant(), keys, limit), context.RequestAborted);
        return jobs.Count(job => job.UniqueKey is null) + keys.Length - taken;
    }

    private static async Task<SubmittedJobs> StoreAsync(IReadOnlyList<NewJob> jobs, IdempotencyKey? key, Submissions submissions, UniqueSubmissions uniques)
    {
        try
        {
            if (jobs.Any(job => job.UniqueKey is not null))
            {
                return await uniques.SubmitAsync(jobs, key);
            }

            var once = key is null ? new SubmittedOnce(await submissions.SubmitAsync(jobs), null) : await submissions.SubmitOnceAsync(jobs, key);
            return new(once.Earlier ?? [.. jobs.Select(job => job.Id)], jobs.Zip(once.Jobs ?? []).ToDictionary(made => made.First.Id, made => made.Second), once.Earlier is not null);
        }
        catch (IdempotencyKeyReused)
        {
            throw new Refusal(422, "idempotency-key-reused", "The idempotency key was used for something else.",
                $"Nothing was stored. Another submission of yours carried the same {IdempotencyHeader.Name}; send this one with a new key, or the earlier one byte for byte.");
        }
    }

    /// <summary>Counts what is new, and marks an answer that an earlier submission has earned.</summary>
    private static void Tell(HttpContext context, IReadOnlyList<NewJob> jobs, SubmittedJobs submitted, DepthDuty depth)
    {
        if (submitted.IsReplay)
        {
            context.Response.Headers[IdempotencyHeader.Replayed] = "true";
        }

        foreach (var alike in jobs.Where(job => submitted.New.ContainsKey(job.Id)).CountBy(job => (job.Queue, job.Type)))
        {
            ApiMetrics.Submitted.Add(alike.Value, new("queue", depth.Label(alike.Key.Queue)), new("type", alike.Key.Type));
        }
    }

    /// <summary>Tells the caller that its job is accepted, or what became of it where it waited for that.</summary>
    internal static Task AnswerAsync(HttpContext context, Job job, bool waited = false)
    {
        context.Response.StatusCode = waited && job.State.IsFinal() ? StatusCodes.Status200OK : StatusCodes.Status202Accepted;
        context.Response.Headers.Location = job.Links.Self;
        return context.Response.WriteAsJsonAsync(job);
    }

    /// <summary>A new job as it is shown, without another look at PostgreSQL.</summary>
    internal static Job Accepted(NewJob job, Submitted submitted) => new()
    {
        Id = job.Id,
        Type = job.Type,
        Queue = job.Queue,
        Priority = job.High ? JobPriority.High : JobPriority.Normal,
        State = submitted.State,
        Attempt = 0,
        MaxAttempts = job.MaxAttempts,
        Interruptions = 0,
        Crashes = 0,
        Input = Element(job.Input),
        Tags = job.Tags,
        UniqueKey = job.UniqueKey,
        CreatedAt = submitted.CreatedAt,
        RunAt = submitted.RunAt,
        Links = JobLinks.Of(job.Id),
    };

    private static async Task SubmitBatchAsync(HttpContext context, SubmissionReader reader, Submissions submissions, UniqueSubmissions uniques, DepthDuty depth, IOptions<ApiOptions> options)
    {
        using var body = await JsonBody.ReadManyAsync(context, options.Value.MaxBatchBytes, MaxBatch + 1);
        var key = IdempotencyHeader.Read(context, body.Bytes);
        if (body.Parts.Count is 0 or > MaxBatch)
        {
            throw Refusal.Invalid(InvalidFields.Of("", $"must hold 1 to {MaxBatch} submissions"));
        }

        var (jobs, submitted) = await AcceptAsync(() => reader.ReadBatchAsync(body.Parts, context.Tenant()), key, context, submissions, uniques, depth, options.Value);
        Tell(context, jobs, submitted, depth);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        await context.Response.WriteAsJsonAsync(new BatchAccepted(submitted.Ids));
    }

    private static async Task ReadAsync(string id, HttpContext context, JobViews views, Waiting waiting)
    {
        var wait = Waiting.Wanted(context);
        var fields = JobQuery.Read(context, ["fields"], query => query.Fields());
        var view = context.Request.GetTypedHeaders().CacheControl is { NoCache: true }
            ? JobView.Of(await StoreDeadline.WithinAsync(limit => views.ReadNowAsync(Id(id), context.Tenant(), limit), context.RequestAborted) ?? throw NoJob(id))
            : await FindAsync(Id(id), context, views);
        if (wait is { } patience && !view.State.IsFinal() && await waiting.UntilFinalAsync(view.Id, patience, view.Snapshot.Json.Length, context) is { } seen)
        {
            using var known = JsonDocument.Parse(view.Snapshot.Json);
            view = JobView.Of(seen with { Job = seen.Job with { Input = JsonBody.Find(known.RootElement, "input") } });
        }

        var (request, response) = (context.Request, context.Response);
        var version = new EntityTagHeaderValue($"\"{view.Snapshot.Version}\"", isWeak: true); // of what is said, however it is encoded
        response.GetTypedHeaders().ETag = version;
        response.Headers.CacheControl = view.State == JobState.Succeeded ? "private, max-age=60" : "private, no-cache"; // what has failed or was cancelled may be run again
        if (request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(version, useStrongComparison: false) || known == EntityTagHeaderValue.Any))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        if (fields is not null)
        {
            await response.WriteAsJsonAsync(Only(JsonNode.Parse(view.Snapshot.Json.Span)!.AsObject(), fields));
            return;
        }

        response.ContentType = "application/json; charset=utf-8";
        await response.Body.WriteAsync(view.Snapshot.Json, context.RequestAborted);
    }

    private static async Task EventsAsync(string id, HttpContext context, JobViews views, EventStream events) =>
        await events.WriteAsync((await FindAsync(Id(id), context, views)).Id, context);

    private static async Task<JobView> FindAsync(Guid id, HttpContext context, JobViews views) =>
        await views.FindAsync(id, context.Tenant(), context.RequestAborted) ?? throw NoJob($"{id}");

    private static async Task<Page<Run>> RunsAsync(string id, HttpContext context, JobReader jobs, JobViews views)
    {
        var runs = await jobs.RunsAsync(Id(id), context.Tenant(), context.RequestAborted) ?? throw NoJob(id);
        await views.ShownAsync([Id(id)]);
        return new(runs);
    }

    private static async Task<Job> CancelAsync(string id, HttpContext context, Cancellations cancellations, JobViews views, DepthDuty depth, KnownTypes types)
    {
        var (tenant, aborted) = (context.Tenant(), context.RequestAborted);
        var outcome = await cancellations.CancelAsync(Id(id), tenant, aborted);
        var job = outcome == CancelOutcome.Unknown ? null : (await views.ReadNowAsync(Id(id), tenant, aborted))?.Job;
        if (job is not null && outcome == CancelOutcome.Cancelled)
        {
            FinishedJobs.Add(depth.Label(job.Queue), types.Label(job.Type), "cancelled");
        }

        return job is null ? throw NoJob(id)
            : outcome is CancelOutcome.Cancelled or CancelOutcome.Accepted ? job
            : throw new Refusal(409, "job-is-final", "The job is final.", $"It is {JsonNamingPolicy.CamelCase.ConvertName(job.State.ToString())} and can no longer be cancelled.");
    }

    private static async Task<JobExplanation> ExplainAsync(string id, HttpContext context, Explanations explanations, JobViews views)
    {
        var explanation = await explanations.ExplainAsync(Id(id), context.Tenant(), context.RequestAborted) ?? throw NoJob(id);
        await views.ShownAsync([explanation.Id]);
        return explanation;
    }

    private static async Task<Job> RetryAsync(string id, HttpContext context, Retries retries, WakeUps wakeUps, JobViews views)
    {
        var (tenant, aborted) = (context.Tenant(), context.RequestAborted);
        var fromStart = JobQuery.Read(context, ["from"], query => query.FromStart());
        var queued = await retries.RetryAsync([Id(id)], tenant, fromStart, aborted);
        wakeUps.Send(queued);
        var job = (await views.ReadNowAsync(Id(id), tenant, aborted))?.Job ?? throw NoJob(id);
        if (queued.Count == 1)
        {
            return job;
        }

        throw job.State is JobState.Failed or JobState.Cancelled && await retries.KeyHolderAsync(job.Id, tenant, aborted) is { } holder
            ? new Refusal(409, "unique-key-taken", "Another job has the unique key.", $"Job {holder}, which is not final, has the key '{job.UniqueKey}'. Wait until it has ended, or cancel it.")
            : new Refusal(409, "job-has-not-failed", "The job has not failed.", $"It is {JsonNamingPolicy.CamelCase.ConvertName(job.State.ToString())}; only a failed or cancelled job is run again.");
    }

    private static async Task<IResult> ListAsync(HttpContext context, JobReader jobs, JobViews views)
    {
        var (filter, fields) = JobQuery.Read(context, JobQuery.OfList, query => (query.Filter(), query.Fields()));

        // One more than asked for says whether there is a next page.
        var found = await jobs.ListAsync(filter with { Limit = filter.Limit + 1 }, context.Tenant(), context.RequestAborted);
        await views.ShownAsync(found.Jobs.Select(job => job.Id));
        var page = found.Jobs.Count > filter.Limit ? new Page<Job>([.. found.Jobs.Take(filter.Limit)], Next(found.Jobs[filter.Limit - 1].Id))
            : new Page<Job>(found.Jobs, found.LookedTo is { } last ? Next(last) : null);
        return fields is null ? TypedResults.Json(page) : TypedResults.Json(new Page<JsonObject>([.. page.Items.Select(job => Only(JsonSerializer.SerializeToNode(job, Json)!.AsObject(), fields))], page.Next));

        string Next(Guid after)
        {
            var kept = context.Request.Query.Where(q => q.Key != "after").Select(q => $"{q.Key}={Uri.EscapeDataString(q.Value.ToString())}");
            return $"/v1/jobs?{string.Join('&', kept.Append($"after={after}"))}";
        }
    }

    /// <summary>A job with these members alone, in the order in which it has them.</summary>
    private static JsonObject Only(JsonObject whole, string[] fields)
    {
        foreach (var other in whole.Select(member => member.Key).Except(fields).ToArray())
        {
            whole.Remove(other);
        }

        return whole;
    }

    private static Guid Id(string text) => Guid.TryParseExact(text, "D", out var id) ? id : throw NoJob(text);

    private static Refusal NoJob(string id) => Refusal.NotFound($"There is no job '{id}'.");

    private static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
