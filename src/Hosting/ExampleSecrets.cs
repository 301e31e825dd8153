using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace QueueScale.Hosting;

/// <summary>Secrets that stand in this project's examples or that a server has from the start: everybody knows them.</summary>
public static class ExampleSecrets
{
    private static readonly string[] Known = ["trial-postgres", "trial-rabbitmq", "trial-redis", "qs_trial-key-for-loopback-only", "for-development-only"];

    private const string RabbitMq = "ConnectionStrings:RabbitMq";

    private static readonly string[] Keys = ["ConnectionStrings:Postgres", RabbitMq, "ConnectionStrings:Redis", "Auth:BootstrapKey"];

    /// <summary>Whether a setting holds one.</summary>
    public static bool IsIn(string? setting) => setting is not null && Known.Any(secret => setting.Contains(secret, StringComparison.Ordinal));

    /// <summary>Whether an address of RabbitMQ names no user, and so the one that it has from the start, or that one.</summary>
    private static bool IsGuest(string? address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps" && Uri.UnescapeDataString(uri.UserInfo) is "" or "guest:guest";

    /// <summary>Makes sure that in production no setting holds one.</summary>
    /// <exception cref="BadSetting">One does.</exception>
    public static void Refuse(IHostEnvironment environment, IConfiguration configuration)
    {
        if (!environment.IsDevelopment() && Keys.FirstOrDefault(key => IsIn(configuration[key]) || (key == RabbitMq && IsGuest(configuration[key]))) is { } known)
        {
            throw new BadSetting($"{known} holds a secret that everybody knows, of the examples or a server's first user. Set one of your own (./queuescale init-env makes some), or DOTNET_ENVIRONMENT=Development for a trial that nobody else can reach.");
        }
    }
}
