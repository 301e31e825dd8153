using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Submitting, reading and cancelling jobs.</summary>
internal static class JobEndpoints
{
    private const int MaxBatch = 10_000;
    private const int MaxPage = 200;
    private const int DefaultPage = 50;

    /// <summary>What a submission may add to its input.</summary>
    private const int Envelope = 16 * 1024;

    private static readonly Dictionary<string, JobState> States =
        Enum.GetValues<JobState>().ToDictionary(state => JsonNamingPolicy.CamelCase.ConvertName(state.ToString()), StringComparer.OrdinalIgnoreCase);

    private static readonly string[] Filters = ["state", "type", "queue", "tag", "createdAfter", "createdBefore", "limit", "after"];

    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/v1").WithTags("Jobs");
        jobs.MapPost("/jobs", SubmitAsync).WithName("SubmitJob").WithSummary("Submits a job: 202 once it is durable.")
            .Accepts<SubmitJob>("application/json").TakesIdempotencyKey().Produces<Job>(202).ProducesProblems(400, 413, 415, 422, 503);
        jobs.MapPost("/jobs/batch", SubmitBatchAsync).WithName("SubmitBatch").WithSummary("Submits up to 10,000 jobs: all or none.")
            .Accepts<SubmitJob[]>("application/json").TakesIdempotencyKey().Produces<BatchAccepted>(202).ProducesProblems(400, 413, 415, 422, 503);
        var reading = routes.MapGroup("/v1").WithTags("Jobs").AddEndpointFilter(StoreDeadline.ApplyAsync);
        reading.MapGet("/jobs", ListAsync).WithName("ListJobs").WithSummary("Lists jobs, the newest first.").TakesQuery(Filters).Produces<Page<Job>>().ProducesProblems(400, 503);
        reading.MapGet("/jobs/{id}", FindAsync).WithName("GetJob").WithSummary("Reads a job.").Produces<Job>().ProducesProblems(404, 503);
        reading.MapGet("/jobs/{id}/runs", RunsAsync).WithName("ListRuns").WithSummary("Lists the runs of a job, the first first.").Produces<Page<Run>>().ProducesProblems(404, 503);
        reading.MapPost("/jobs/{id}/cancel", CancelAsync).WithName("CancelJob").WithSummary("Cancels a job that is not final yet.").Produces<Job>().ProducesProblems(404, 409, 503);
    }

    private static async Task SubmitAsync(HttpContext context, SubmissionReader reader, Submissions submissions, JobReader stored, DepthDuty depth, IOptions<ApiOptions> options)
    {
        NewJob job;
        IdempotencyKey? key;
        using (var body = await JsonBody.ReadAsync(context, options.Value.MaxInputBytes + Envelope))
        {
            key = IdempotencyHeader.Read(context, body.Bytes);
            job = await reader.ReadAsync(body.Json.RootElement, context.Tenant());
        }

        var once = await StoreAsync(submissions, [job], key);
        if (once.Earlier is [var earlier, ..])
        {
            await AnswerAgainAsync(context, await stored.FindAsync(earlier, context.Tenant(), context.RequestAborted) ?? throw NoJob($"{earlier}"));
            return;
        }

        ApiMetrics.Submitted.Add(1, new("queue", depth.Label(job.Queue)), new("type", job.Type));
        await AnswerAsync(context, job, once.Jobs![0]);
    }

    private static async Task<SubmittedOnce> StoreAsync(Submissions submissions, IReadOnlyList<NewJob> jobs, IdempotencyKey? key)
    {
        try
        {
            return key is null ? new SubmittedOnce(await submissions.SubmitAsync(jobs), null) : await submissions.SubmitOnceAsync(jobs, key);
        }
        catch (IdempotencyKeyReused)
        {
            throw new Refusal(422, "idempotency-key-reused", "The idempotency key was used for something else.",
                $"Nothing was stored. Another submission of yours carried the same {IdempotencyHeader.Name}; send this one with a new key, or the earlier one byte for byte.");
        }
    }

    /// <summary>Tells the caller what has become of the job that it asks for once more.</summary>
    private static Task AnswerAgainAsync(HttpContext context, Job job)
    {
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.Headers.Location = job.Links.Self;
        context.Response.Headers[IdempotencyHeader.Replayed] = "true";
        return context.Response.WriteAsJsonAsync(job);
    }

    /// <summary>Tells the caller that its job is accepted.</summary>
    internal static Task AnswerAsync(HttpContext context, NewJob job, Submitted submitted)
    {
        var links = JobLinks.Of(job.Id);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.Headers.Location = links.Self;
        return context.Response.WriteAsJsonAsync(
            new Job
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
                CreatedAt = submitted.CreatedAt,
                RunAt = submitted.RunAt,
                Links = links,
            });
    }

    private static async Task SubmitBatchAsync(HttpContext context, SubmissionReader reader, Submissions submissions, DepthDuty depth, IOptions<ApiOptions> options)
    {
        IReadOnlyList<NewJob> jobs;
        IdempotencyKey? key;
        using (var body = await JsonBody.ReadAsync(context, options.Value.MaxBatchBytes))
        {
            key = IdempotencyHeader.Read(context, body.Bytes);
            var root = body.Json.RootElement;
            if (root.ValueKind != JsonValueKind.Array || root.GetArrayLength() is 0 or > MaxBatch)
            {
                throw Refusal.Invalid(InvalidFields.Of("", $"must be an array of 1 to {MaxBatch} submissions"));
            }

            jobs = await reader.ReadBatchAsync(root, context.Tenant());
        }

        var once = await StoreAsync(submissions, jobs, key);
        if (once.Earlier is not null)
        {
            context.Response.Headers[IdempotencyHeader.Replayed] = "true";
        }
        else
        {
            foreach (var alike in jobs.CountBy(job => (job.Queue, job.Type)))
            {
                ApiMetrics.Submitted.Add(alike.Value, new("queue", depth.Label(alike.Key.Queue)), new("type", alike.Key.Type));
            }
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
        await context.Response.WriteAsJsonAsync(new BatchAccepted(once.Earlier ?? [.. jobs.Select(j => j.Id)]));
    }

    private static async Task<Job> FindAsync(string id, HttpContext context, JobReader jobs) =>
        await jobs.FindAsync(Id(id), context.Tenant(), context.RequestAborted) ?? throw NoJob(id);

    private static async Task<Page<Run>> RunsAsync(string id, HttpContext context, JobReader jobs) =>
        new(await jobs.RunsAsync(Id(id), context.Tenant(), context.RequestAborted) ?? throw NoJob(id));

    private static async Task<Job> CancelAsync(string id, HttpContext context, Cancellations cancellations, JobReader jobs, DepthDuty depth, KnownTypes types)
    {
        var (tenant, aborted) = (context.Tenant(), context.RequestAborted);
        var outcome = await cancellations.CancelAsync(Id(id), tenant, aborted);
        var job = outcome == CancelOutcome.Unknown ? null : await jobs.FindAsync(Id(id), tenant, aborted);
        if (job is not null && outcome == CancelOutcome.Cancelled)
        {
            FinishedJobs.Add(depth.Label(job.Queue), types.Label(job.Type), "cancelled");
        }

        return job is null ? throw NoJob(id)
            : outcome is CancelOutcome.Cancelled or CancelOutcome.Accepted ? job
            : throw new Refusal(409, "job-is-final", "The job is final.", $"It is {JsonNamingPolicy.CamelCase.ConvertName(job.State.ToString())} and can no longer be cancelled.");
    }

    private static async Task<Page<Job>> ListAsync(HttpContext context, JobReader jobs)
    {
        var query = context.Request.Query;
        var invalid = new InvalidFields();
        foreach (var name in query.Keys.Where(name => !Filters.Contains(name)))
        {
            invalid.Add(name, $"is unknown; a list takes {string.Join(", ", Filters)}");
        }

        var filter = new JobFilter
        {
            State = Read<JobState>("state", text => States.TryGetValue(text, out var state) ? state : null, $"must be one of {string.Join(", ", States.Keys)}"),
            Type = Word("type"),
            Queue = Word("queue"),
            Tag = Word("tag"),
            CreatedAfter = Read<DateTime>("createdAfter", Rfc3339.Parse, Rfc3339.Rule),
            CreatedBefore = Read<DateTime>("createdBefore", Rfc3339.Parse, Rfc3339.Rule),
            After = Read<Guid>("after", text => Guid.TryParseExact(text, "D", out var after) ? after : null, "must be the id of a job"),
            Limit = Read<int>("limit", text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MaxPage ? limit : null, $"must be a whole number from 1 to {MaxPage}") ?? DefaultPage,
        };
        if (invalid.Any)
        {
            throw Refusal.Unreadable("The query holds what a list does not take.", invalid);
        }

        // One more than asked for says whether there is a next page.
        var found = await jobs.ListAsync(filter with { Limit = filter.Limit + 1 }, context.Tenant(), context.RequestAborted);
        return found.Count <= filter.Limit ? new Page<Job>(found) : new Page<Job>([.. found.Take(filter.Limit)], Next(found[filter.Limit - 1].Id));

        T? Read<T>(string name, Func<string, T?> parse, string rule)
            where T : struct
        {
            if (Word(name) is not { } text)
            {
                return null;
            }

            if (parse(text) is { } value)
            {
                return value;
            }

            invalid.Add(name, rule);
            return null;
        }

        string? Word(string name)
        {
            if (!query.TryGetValue(name, out var values))
            {
                return null;
            }

            if (values is [{ Length: > 0 } value] && !value.Contains('\0', StringComparison.Ordinal))
            {
                return value;
            }

            invalid.Add(name, "must be given once, and not empty");
            return null;
        }

        string Next(Guid last)
        {
            var kept = query.Where(q => q.Key != "after").Select(q => $"{q.Key}={Uri.EscapeDataString(q.Value.ToString())}");
            return $"/v1/jobs?{string.Join('&', kept.Append($"after={last}"))}";
        }
    }

    private static Guid Id(string text) => Guid.TryParseExact(text, "D", out var id) ? id : throw NoJob(text);

    private static Refusal NoJob(string id) => Refusal.NotFound($"There is no job '{id}'.");

    private static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
