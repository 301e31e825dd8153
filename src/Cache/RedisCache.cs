using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace QueueScale.Cache;

/// <summary>Registers what the APIs share in Redis.</summary>
public static class RedisCache
{
    /// <param name="services">The host's services.</param>
    /// <param name="connectionString">The form of StackExchange.Redis.</param>
    /// <param name="program">Who connects, as Redis shows it.</param>
    public static IServiceCollection AddRedisCache(this IServiceCollection services, string connectionString, string program)
    {
        services.AddSingleton(provider => new RedisLink(connectionString, program, provider.GetRequiredService<ILogger<RedisLink>>()));
        services.AddHostedService(provider => provider.GetRequiredService<RedisLink>());
        return services.AddSingleton<JobSnapshots>().AddSingleton<RequestCounts>();
    }
}
