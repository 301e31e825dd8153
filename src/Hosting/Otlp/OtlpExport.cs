using System.Diagnostics;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace QueueScale.Hosting;

/// <summary>Sends metrics, traces and logs to a collector by OTLP, where OpenTelemetry's own variables name one. Where they do not, nothing is started.</summary>
public static class OtlpExport
{
    internal const string HttpClientSource = "System.Net.Http";

    /// <summary>Whose spans are sent: our own, and those that belong to a request or a run. The wake-ups that MassTransit would trace name many jobs each.</summary>
    private static readonly string[] Sources = [Traces.SourceName, "Microsoft.AspNetCore", "Npgsql", HttpClientSource];

    /// <summary>Call it after the logs are set up.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="program">The service's name, where OTEL_SERVICE_NAME gives no other.</param>
    /// <param name="properties">What the service carries besides.</param>
    /// <exception cref="BadSetting">One of the variables cannot be followed.</exception>
    public static void AddOtlp(this WebApplicationBuilder builder, string program, params (string Name, string Value)[] properties)
    {
        var settings = OtlpSettings.Read(builder.Configuration);
        builder.Services.AddSingleton(settings);
        if (!settings.Any)
        {
            return;
        }

        var resource = Resource(program, properties);
        if (settings.Logs)
        {
            builder.Logging.AddOpenTelemetry(logs =>
            {
                logs.SetResourceBuilder(resource);
                logs.IncludeFormattedMessage = true;
                logs.IncludeScopes = true; // such as a run's: job, type and epoch on every line of a handler
                logs.AddOtlpExporter();
            });
        }

        if (settings.Traces)
        {
            RequestSpans.Announce();
        }

        builder.Services.AddSingleton(provider => new OtlpExporters(
            settings.Traces ? Sdk.CreateTracerProviderBuilder().ConfigureServices(Configured).SetResourceBuilder(resource).AddSource(Sources).AddProcessor(new StrayCalls()).AddOtlpExporter().Build() : null,
            settings.Metrics ? Sdk.CreateMeterProviderBuilder().ConfigureServices(Configured).SetResourceBuilder(resource).AddMeter(MetricsEndpoint.Meters).AddOtlpExporter().Build() : null,
            provider.GetService<LoggerProvider>()));
        builder.Services.AddHostedService(provider => provider.GetRequiredService<OtlpExporters>());

        void Configured(IServiceCollection services) => services.AddSingleton<IConfiguration>(builder.Configuration);
    }

    /// <summary>Names the spans of requests, where they are traced. Call it before everything else that answers.</summary>
    public static void UseRequestSpans(this WebApplication app)
    {
        if (app.Services.GetRequiredService<OtlpSettings>().Traces)
        {
            app.UseMiddleware<RequestSpans>();
        }
    }

    /// <summary>What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say stands above what we say.</summary>
    private static ResourceBuilder Resource(string program, (string Name, string Value)[] properties) => ResourceBuilder.CreateEmpty()
        .AddService(program, serviceVersion: Assembly.GetEntryAssembly()?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion)
        .AddAttributes(new Dictionary<string, object> { ["host.name"] = Environment.MachineName, ["process.pid"] = Environment.ProcessId })
        .AddAttributes(properties.Select(property => new KeyValuePair<string, object>(property.Name, property.Value)))
        .AddTelemetrySdk()
        .AddEnvironmentVariableDetector();
}

/// <summary>The exporters of this process. They send on threads of their own and drop what they cannot get rid of.</summary>
internal sealed class OtlpExporters(TracerProvider? traces, MeterProvider? metrics, LoggerProvider? logs) : IHostedLifecycleService
{
    /// <summary>The end of a process waits no longer than this for a collector to take the last of what happened.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs when everything else has ended.</summary>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        var limit = (int)Farewell.TotalMilliseconds;
        var ends = Task.WhenAll(Task.Run(() => traces?.Shutdown(limit)), Task.Run(() => metrics?.Shutdown(limit)), Task.Run(() => logs?.Shutdown(limit)));
        await Task.WhenAny(ends, Task.Delay(Farewell, CancellationToken.None));
    }
}

/// <summary>Leaves out calls by HttpClient that belong to no request and no run, such as those of the API's rehearsal.</summary>
internal sealed class StrayCalls : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.Source.Name == OtlpExport.HttpClientSource && data.ParentSpanId == default)
        {
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}
