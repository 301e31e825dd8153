using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Retries and cancels in bulk: the redrive of the dead-letter list.</summary>
internal static class BulkEndpoints
{
    public const int FastestRate = 100_000;
    private const int CountAtOnce = 2;

    /// <summary>Requests of a tenant that may be open: each API looks at each of them every second.</summary>
    public const int MostOpen = 20;

    private static readonly TenantShares Counting = new(CountAtOnce);

    private const string Example = "/v1/bulk/0192f0c1-8a3b-7c4d-9e5f-60718293a4b5";

    private static readonly string[] OfCancel = [.. JobQuery.Filters, "rate", "dryRun"];
    private static readonly string[] OfRetry = [.. OfCancel, "from"];

    public static void MapBulk(this IEndpointRouteBuilder routes)
    {
        var bulk = routes.MapGroup("/v1").WithTags("Jobs"); // counting takes its time where there are many jobs
        bulk.MapPost("/jobs/retry", (HttpContext context, BulkRequests requests) => BeginAsync(BulkAction.Retry, OfRetry, context, requests))
            .WithName("RetryJobs").Needs(KeyScope.Submit).WithSummary("Runs all failed jobs that fit again, in the background; with dryRun=true only tells how many fit.")
            .TakesQuery(OfRetry).Produces<BulkCount>().Produces<BulkRequest>(202).TellsLocation(Example, 202).ProducesProblems(400, 429, 503);
        bulk.MapPost("/jobs/cancel", (HttpContext context, BulkRequests requests) => BeginAsync(BulkAction.Cancel, OfCancel, context, requests))
            .WithName("CancelJobs").Needs(KeyScope.Submit).WithSummary("Cancels all jobs that fit, in the background; with dryRun=true only tells how many fit.")
            .TakesQuery(OfCancel).Produces<BulkCount>().Produces<BulkRequest>(202).TellsLocation(Example, 202).ProducesProblems(400, 429, 503);
        bulk.MapGet("/bulk/{id}", FindAsync).AddEndpointFilter(StoreDeadline.ApplyAsync).WithName("GetBulkRequest").Needs(KeyScope.Read).WithSummary("Reads how far a request in bulk is.").Produces<BulkRequest>().ProducesProblems(404, 503);
    }

    private static async Task BeginAsync(BulkAction action, string[] names, HttpContext context, BulkRequests requests)
    {
        var (request, dryRun) = JobQuery.Read(context, names, query => (Wanted(action, query, context), query.Flag("dryRun")));
        if (!Counting.TryTake(context.Tenant(), 1))
        {
            throw new Refusal(503, "overloaded", "Jobs are counted here already.", $"Nothing was done. At most {CountAtOnce} requests in bulk are counted at once, and one of a tenant, because each keeps PostgreSQL busy. Try again later.") { RetryAfter = TimeSpan.FromSeconds(2) };
        }

        try
        {
            RequestTimeout.Lift(context);
            await BeginAsync(request, dryRun, context, requests);
        }
        finally
        {
            Counting.GiveBack(context.Tenant(), 1);
        }
    }

    private static async Task BeginAsync(NewBulkRequest request, bool dryRun, HttpContext context, BulkRequests requests)
    {
        if (dryRun)
        {
            await context.Response.WriteAsJsonAsync(new BulkCount(await requests.CountAsync(request, context.Tenant(), context.RequestAborted)));
            return;
        }

        if (await requests.OpenAsync(context.Tenant(), context.RequestAborted) >= MostOpen)
        {
            throw new Refusal(429, "too-many-open", "Too many requests in bulk are open.", $"Nothing was done. At most {MostOpen} of yours may be under way. Try again when one has ended, or give filters that fit more.") { RetryAfter = TimeSpan.FromSeconds(10) };
        }

        var begun = await requests.BeginAsync(request, context.Tenant(), context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.Headers.Location = begun.Links.Self;
        await context.Response.WriteAsJsonAsync(begun);
    }

    private static NewBulkRequest Wanted(BulkAction action, JobQuery query, HttpContext context)
    {
        var filter = query.Filter();
        if (filter.State is { } state && !NewBulkRequest.StatesOf(action).Contains(state))
        {
            query.Wrong("state", $"must be {string.Join(" or ", NewBulkRequest.StatesOf(action).Select(one => JsonNamingPolicy.CamelCase.ConvertName(one.ToString())))}");
        }

        if (action == BulkAction.Cancel && !JobQuery.Filters.Any(context.Request.Query.ContainsKey))
        {
            query.Wrong("state", "is missing, and so is every other filter: that would cancel everything. Name at least one");
        }

        return new NewBulkRequest(action, filter, action == BulkAction.Retry && query.FromStart(), query.Number("rate", 1, FastestRate));
    }

    private static async Task<BulkRequest> FindAsync(string id, HttpContext context, BulkRequests requests) =>
        Guid.TryParseExact(id, "D", out var known) && await requests.FindAsync(known, context.Tenant(), context.RequestAborted) is { } request
            ? request
            : throw Refusal.NotFound($"There is no request in bulk '{id}'.");
}
