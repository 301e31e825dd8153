using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Serilog;
using Serilog.Extensions.Logging;
using Serilog.Formatting.Json;

namespace QueueScale.Hosting;

/// <summary>Logs by Serilog: readable on a terminal, one JSON object a line elsewhere.</summary>
public static class Logs
{
    /// <summary>Levels that hold unless configuration says otherwise, by the usual <c>Logging:LogLevel:*</c> keys.</summary>
    private static readonly Dictionary<string, string?> DefaultLevels = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft"] = "Warning",
        ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Warning",
        ["Logging:LogLevel:MassTransit"] = "None", // what it has to say of the connection, BrokerLink says once and in our words
        ["Logging:LogLevel:Npgsql"] = "None", // every command that fails is reported by whoever ran it
    };

    /// <param name="builder">The host.</param>
    /// <param name="properties">What every line of the process carries.</param>
    public static void UseSerilog(this IHostApplicationBuilder builder, params (string Name, string Value)[] properties)
    {
        var configured = builder.Configuration.GetSection("Logging:LogLevel");
        builder.Configuration.AddInMemoryCollection(DefaultLevels.Where(level => configured[level.Key["Logging:LogLevel:".Length..]] is null));
        var logger = new LoggerConfiguration().MinimumLevel.Verbose().Enrich.FromLogContext();
        foreach (var (name, value) in properties)
        {
            logger = logger.Enrich.WithProperty(name, value);
        }

        logger = Console.IsOutputRedirected
            ? logger.WriteTo.Console(new JsonFormatter(renderMessage: true))
            : logger.WriteTo.Console(outputTemplate: "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}", formatProvider: null);
        builder.Logging.ClearProviders();
        builder.Logging.Configure(options => options.ActivityTrackingOptions = ActivityTrackingOptions.None); // Serilog writes trace and span itself, once
        builder.Logging.AddProvider(new SerilogLoggerProvider(logger.CreateLogger(), dispose: true)); // AddSerilog would lift the levels' filter
    }
}
