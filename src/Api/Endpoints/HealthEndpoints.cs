using QueueScale.Bus;
using QueueScale.Cache;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The body of a health answer.</summary>
/// <param name="Status">live, starting, started, ready, degraded, draining or unavailable.</param>
/// <param name="Checks">What each dependency answered, by its name.</param>
internal sealed record HealthReport(string Status, IReadOnlyDictionary<string, CheckResult>? Checks = null);

/// <summary>Health. Liveness looks at nothing outside the process; readiness needs PostgreSQL and reports RabbitMQ, without which jobs are still accepted, and Redis, without which they are read more slowly.</summary>
internal static class HealthEndpoints
{
    private const string Steps = "postgres/steps";
    private const string General = "postgres/general";
    private const string RabbitMq = "rabbitmq";
    private const string Redis = "redis";

    /// <summary>A question that a connection took with it when it broke is never answered.</summary>
    private static readonly TimeSpan AskRedisAgain = TimeSpan.FromSeconds(5);

    public static void AddHealth(this IServiceCollection services) => services.AddSingleton(provider =>
    {
        var (database, broker, redis) = (provider.GetRequiredService<Database>(), provider.GetRequiredService<BrokerLink>(), provider.GetService<RedisLink>());
        return new DependencyChecks(
            provider.GetRequiredService<TimeProvider>(),
            [
                new DependencyCheck(Steps, () => Database.AskAsync(database.Steps)),
                new DependencyCheck(General, () => Database.AskAsync(database.General)),
                new DependencyCheck(RabbitMq, broker.AskAsync),
                .. redis is null ? [] : (DependencyCheck[])[new DependencyCheck(Redis, () => redis.AskAsync().WaitAsync(AskRedisAgain))],
            ]);
    });

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        var health = routes.MapGroup("/health").ExcludeFromDescription();
        health.MapGet("/live", () => TypedResults.Json(new HealthReport("live")));
        health.MapGet("/startup", (ApiLife life, HttpResponse response) => Answer(life.HasStarted, new HealthReport(life.HasStarted ? "started" : "starting"), response));
        health.MapGet("/ready", ReadyAsync);
    }

    private static async Task<IResult> ReadyAsync(ApiLife life, DependencyChecks dependencies, HttpResponse response)
    {
        var checks = await dependencies.AskAsync();
        var status = life.IsDraining ? "draining"
            : !checks[Steps].IsOk || !checks[General].IsOk ? "unavailable"
            : !life.HasStarted ? "starting"
            : checks.Values.All(check => check.IsOk) ? "ready" : "degraded";
        return Answer(status is "ready" or "degraded", new HealthReport(status, checks), response);
    }

    private static IResult Answer(bool good, HealthReport report, HttpResponse response)
    {
        if (!good)
        {
            response.Headers.RetryAfter = "1";
        }

        return TypedResults.Json(report, statusCode: good ? 200 : 503);
    }
}
