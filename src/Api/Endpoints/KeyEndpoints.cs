using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Keys: making, listing, rotating and revoking them.</summary>
internal static class KeyEndpoints
{
    private const int LongestBody = 16 * 1024;
    private const string Example = "/v1/keys/k3y0f1tself0";

    private static readonly TimeSpan DefaultOverlap = TimeSpan.FromDays(1);
    private static readonly TimeSpan LongestOverlap = TimeSpan.FromDays(30);

    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/v1/keys").WithTags("Keys").AddEndpointFilter(StoreDeadline.ApplyAsync).AddEndpointFilter(KeepNowhereAsync);
        routes.MapPost("/v1/keys", CreateAsync).WithTags("Keys").AddEndpointFilter(KeepNowhereAsync).WithName("CreateKey").WithSummary("Makes a key, and shows it this once.").Needs(KeyScope.Admin)
            .Accepts<NewApiKey>("application/json").Produces<ApiKey>(201).TellsLocation(Example, 201).ProducesProblems(400, 413, 415, 422, 503);
        keys.MapGet("", ListAsync).WithName("ListKeys").WithSummary("Lists keys, without their secrets.").Needs(KeyScope.Admin).TakesQuery("limit", "after").Produces<Page<ApiKey>>().ProducesProblems(400, 503);
        keys.MapGet("/{id}", ReadAsync).WithName("GetKey").WithSummary("Reads a key, without its secret.").Needs(KeyScope.Admin).Produces<ApiKey>().ProducesProblems(404, 503);
        keys.MapPost("/{id}/rotate", RotateAsync).WithName("RotateKey").WithSummary("Makes a key that is like this one, which ends after the overlap.").Needs(KeyScope.Admin)
            .TakesQuery("overlap").Produces<ApiKey>(201).TellsLocation(Example, 201).ProducesProblems(400, 404, 409, 503);
        keys.MapDelete("/{id}", RevokeAsync).WithName("RevokeKey").WithSummary("Ends a key: at once where this is asked, within two seconds elsewhere.").Needs(KeyScope.Admin).Produces(204).ProducesProblems(404, 503);
    }

    private static async Task<IResult> CreateAsync(HttpContext context, Keys keys, TimeProvider clock)
    {
        using var body = await JsonBody.ReadAsync(context, LongestBody);
        var caller = context.Caller();
        var key = KeyText.New();
        var own = await StoreDeadline.WithinAsync(limit => keys.TenantAsync(caller.Tenant, limit), context.RequestAborted);
        var wanted = KeyReader.Read(body.Json.RootElement, caller, own, key, clock.GetUtcNow().UtcDateTime);
        var created = await StoreDeadline.WithinAsync(limit => keys.CreateAsync(wanted, limit), context.RequestAborted);
        return Shown(created, key);
    }

    private static async Task<IResult> RotateAsync(string id, HttpContext context, Keys keys, KeyBook book)
    {
        var overlap = JobQuery.Read(context, ["overlap"], query => query.Duration("overlap", LongestOverlap)) ?? DefaultOverlap;
        var (caller, key) = (context.Caller(), KeyText.New());
        var old = await keys.ReadAsync(Known(id), caller.KeysOf, context.RequestAborted) ?? throw NoKey(id);
        if (old.Scopes.FirstOrDefault(scope => !caller.Scopes.Contains(scope)) is var lacking && !old.Scopes.All(caller.Scopes.Contains))
        {
            throw new Refusal(403, "forbidden", "The key does not allow this.", $"Key '{id}' has the scope {Scopes.Name(lacking)}, which your own key does not have; nobody grants what they lack.");
        }

        var made = await keys.RotateAsync(id, caller.KeysOf, key.Id, key.Hash, overlap, caller.ExpiresAt, context.RequestAborted)
            ?? throw new Refusal(409, "key-has-ended", "The key has ended.", $"Key '{id}' was revoked or is over. Make a new one with POST /v1/keys.");
        book.Forget(id);
        return Shown(made, key);
    }

    private static async Task<ApiKey> ReadAsync(string id, HttpContext context, Keys keys) => await keys.ReadAsync(Known(id), context.Caller().KeysOf, context.RequestAborted) ?? throw NoKey(id);

    private static async Task<Page<ApiKey>> ListAsync(HttpContext context, Keys keys)
    {
        var (limit, after) = JobQuery.Read(context, ["limit", "after"], query => (query.Limit(), query.Name("after")));

        // One more than asked for says whether there is a next page.
        var found = await keys.ListAsync(after, limit + 1, context.Caller().KeysOf, context.RequestAborted);
        return found.Count <= limit ? new Page<ApiKey>(found) : new Page<ApiKey>([.. found.Take(limit)], $"/v1/keys?limit={limit}&after={found[limit - 1].Id}");
    }

    private static async Task<IResult> RevokeAsync(string id, HttpContext context, Keys keys, KeyBook book)
    {
        if (!await keys.RevokeAsync(Known(id), context.Caller().KeysOf, context.RequestAborted))
        {
            throw NoKey(id);
        }

        book.Forget(id);
        return TypedResults.NoContent();
    }

    private static IResult Shown(ApiKey key, KeyText text) => TypedResults.Created(key.Links.Self, key with { Key = text.Text });

    private static ValueTask<object?> KeepNowhereAsync(EndpointFilterInvocationContext invocation, EndpointFilterDelegate next)
    {
        invocation.HttpContext.Response.Headers.CacheControl = "no-store";
        return next(invocation);
    }

    private static string Known(string id) => QueueName.IsValid(id) ? id : throw NoKey(id);

    private static Refusal NoKey(string id) => Refusal.NotFound($"There is no key '{id}'.");
}
