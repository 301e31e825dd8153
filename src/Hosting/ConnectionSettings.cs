using Microsoft.Extensions.Configuration;

namespace QueueScale.Hosting;

/// <summary>The addresses of the servers, from section <c>ConnectionStrings</c>.</summary>
public static class ConnectionSettings
{
    private const string PostgresForm = "Set it to an Npgsql connection string, such as 'Host=db;Database=queuescale;Username=queuescale;Password=…'.";

    /// <summary>The Npgsql connection string of <c>ConnectionStrings:Postgres</c>.</summary>
    /// <param name="configuration">The process's configuration.</param>
    /// <param name="check">Throws an <see cref="ArgumentException"/> where it is none.</param>
    /// <exception cref="BadSetting">It is missing, or none.</exception>
    public static string Postgres(this IConfiguration configuration, Action<string> check)
    {
        var value = configuration.GetConnectionString("Postgres") is { Length: > 0 } given ? given : throw new BadSetting($"ConnectionStrings:Postgres is missing. {PostgresForm}");
        try
        {
            check(value);
            return value;
        }
        catch (ArgumentException error)
        {
            throw new BadSetting($"ConnectionStrings:Postgres cannot be read: {error.Message.TrimEnd('.')}. {PostgresForm}", error);
        }
    }

    /// <summary>The address of <c>ConnectionStrings:RabbitMq</c>.</summary>
    /// <exception cref="BadSetting">It is missing or no such address.</exception>
    public static Uri RabbitMq(this IConfiguration configuration) =>
        configuration.GetConnectionString("RabbitMq") is not { Length: > 0 } value
            ? throw new BadSetting("ConnectionStrings:RabbitMq is missing. Set it to an address such as 'amqp://user:password@mq:5672/'.")
            : Uri.TryCreate(value, UriKind.Absolute, out var address) && address is { Scheme: "amqp" or "amqps", Segments.Length: <= 2 }
                ? address
                : throw new BadSetting("ConnectionStrings:RabbitMq is no address of the form 'amqp://user:password@host:5672/vhost'.");

    /// <summary>The connection string of <c>ConnectionStrings:Redis</c>.</summary>
    /// <param name="configuration">The process's configuration.</param>
    /// <param name="check">Throws an <see cref="ArgumentException"/> where it is none.</param>
    /// <returns>Null where there is none: then there is no Redis.</returns>
    /// <exception cref="BadSetting">It cannot be read.</exception>
    public static string? Redis(this IConfiguration configuration, Action<string> check)
    {
        if (configuration.GetConnectionString("Redis") is not { Length: > 0 } value)
        {
            return null;
        }

        try
        {
            check(value);
            return value;
        }
        catch (ArgumentException error)
        {
            throw new BadSetting($"ConnectionStrings:Redis cannot be read: {error.Message.TrimEnd('.')}. Set it to a connection string of StackExchange.Redis, such as 'redis:6379,password=…', or leave it out.", error);
        }
    }
}

/// <summary>A setting stops the process. The message is one line that names the key and says what to do.</summary>
public sealed class BadSetting(string message, Exception? inner = null) : Exception(message, inner);
