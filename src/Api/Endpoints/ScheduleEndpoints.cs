using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Schedules: putting, reading and deleting them.</summary>
internal static class ScheduleEndpoints
{
    public static void MapSchedules(this IEndpointRouteBuilder routes)
    {
        var schedules = routes.MapGroup("/v1/schedules").WithTags("Schedules").AddEndpointFilter(StoreDeadline.ApplyAsync);
        schedules.MapGet("", ListAsync).WithName("ListSchedules").Needs(KeyScope.Read).WithSummary("Lists the schedules, by name.").TakesQuery("limit", "after").Produces<Page<Schedule>>().ProducesProblems(400, 503);
        schedules.MapGet("/{name}", FindAsync).WithName("GetSchedule").Needs(KeyScope.Read).WithSummary("Reads a schedule.").Produces<Schedule>().ProducesProblems(404, 503);
        routes.MapPut("/v1/schedules/{name}", PutAsync).WithTags("Schedules").WithName("PutSchedule").Needs(KeyScope.Submit).WithSummary("Makes a schedule, or replaces the one of that name.")
            .Accepts<PutSchedule>("application/json").Produces<Schedule>().Produces<Schedule>(201).TellsLocation("/v1/schedules/nightly", 201).ProducesProblems(400, 413, 415, 422, 503);
        schedules.MapDelete("/{name}", DeleteAsync).WithName("DeleteSchedule").Needs(KeyScope.Submit).WithSummary("Deletes a schedule; its jobs stay.").Produces(204).ProducesProblems(404, 503);
    }

    private static async Task<IResult> PutAsync(string name, HttpContext context, SubmissionReader submissions, ScheduleReader reader, Schedules schedules)
    {
        using var body = await JsonBody.ReadAsync(context, submissions.Longest);
        var (schedule, times) = await reader.ReadAsync(name, body.Json.RootElement, context.Tenant());
        try
        {
            var (stored, isNew) = await StoreDeadline.WithinAsync(
                async limit => await schedules.PutAsync(schedule, schedule.Paused ? null : times.Next(await schedules.TimeAsync(limit)), limit), context.RequestAborted);
            return isNew ? TypedResults.Created(stored.Links.Self, stored) : TypedResults.Ok(stored);
        }
        catch (DataRefused refused)
        {
            throw Refusal.InvalidSchedule(InvalidFields.Of("/job/input", $"cannot be stored: {refused.Message}"));
        }
    }

    private static async Task<Schedule> FindAsync(string name, HttpContext context, Schedules schedules) =>
        await schedules.FindAsync(Known(name), context.Tenant(), context.RequestAborted) ?? throw NoSchedule(name);

    private static async Task<IResult> DeleteAsync(string name, HttpContext context, Schedules schedules) =>
        await schedules.DeleteAsync(Known(name), context.Tenant(), context.RequestAborted) ? TypedResults.NoContent() : throw NoSchedule(name);

    private static async Task<Page<Schedule>> ListAsync(HttpContext context, Schedules schedules)
    {
        var (limit, after) = JobQuery.Read(context, ["limit", "after"], query => (query.Limit(), query.Name("after")));

        // One more than asked for says whether there is a next page.
        var found = await schedules.ListAsync(after, limit + 1, context.Tenant(), context.RequestAborted);
        return found.Count <= limit ? new Page<Schedule>(found) : new Page<Schedule>([.. found.Take(limit)], $"/v1/schedules?limit={limit}&after={found[limit - 1].Name}");
    }

    private static string Known(string name) => QueueName.IsValid(name) ? name : throw NoSchedule(name);

    private static Refusal NoSchedule(string name) => Refusal.NotFound($"There is no schedule '{name}'.");
}
