using System.Buffers;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace QueueScale.Hosting;

/// <summary><c>GET /metrics</c>: QueueScale's own instruments and those of ASP.NET Core, Kestrel, the runtime and Npgsql.</summary>
public static class MetricsEndpoint
{
    internal static readonly string[] Meters =
    [
        "QueueScale.*",
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Routing", "Microsoft.AspNetCore.Diagnostics",
        "Microsoft.AspNetCore.RateLimiting", "System.Runtime", "Npgsql",
    ];

    private static readonly Meter Process = new("QueueScale.Hosting");

    /// <summary>Begins to collect, and serves what was collected.</summary>
    public static void MapMetrics(this IEndpointRouteBuilder routes)
    {
        var collector = routes.ServiceProvider.GetRequiredService<MetricsCollector>();
        MemoryLimit.CreateGauge(Process);
        routes.MapGet("/metrics", (RequestDelegate)(context => collector.AnswerAsync(context.Response))).ExcludeFromDescription().DisableHttpMetrics();
    }

    /// <summary>Registers the collector.</summary>
    public static void AddMetricsCollector(this IServiceCollection services) => services.AddSingleton(_ => new MetricsCollector(Meters));
}

/// <summary>Collects the meters of this process from its construction on.</summary>
internal sealed class MetricsCollector : IDisposable
{
    private readonly Lock turn = new();
    private readonly PrometheusText text = new();
    private readonly BaseExportingMetricReader reader;
    private readonly MeterProvider provider;

    public MetricsCollector(params string[] meters)
    {
        reader = new BaseExportingMetricReader(text);
        provider = Sdk.CreateMeterProviderBuilder().AddMeter(meters).AddReader(reader).Build();
    }

    public async Task AnswerAsync(HttpResponse response)
    {
        response.ContentType = PrometheusText.ContentType;
        lock (turn)
        {
            reader.Collect();
            response.BodyWriter.Write(text.Written);
        }

        await response.BodyWriter.FlushAsync(response.HttpContext.RequestAborted);
    }

    public void Dispose() => provider.Dispose();
}
