using Microsoft.Extensions.Configuration;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>Which of OpenTelemetry's variables switch what on, and which values stop the process.</summary>
public sealed class OtlpSettingsTests
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317";

    [Theory]
    [InlineData("", "")]
    [InlineData("OTEL_SERVICE_NAME=x OTEL_TRACES_SAMPLER=always_on OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=", "")]
    [InlineData(Endpoint, "traces metrics logs")]
    [InlineData($"{Endpoint} OTEL_SDK_DISABLED=true", "")]
    [InlineData($"{Endpoint} OTEL_SDK_DISABLED=TRUE", "")]
    [InlineData($"{Endpoint} OTEL_SDK_DISABLED=false", "traces metrics logs")]
    [InlineData($"{Endpoint} OTEL_LOGS_EXPORTER=none OTEL_METRICS_EXPORTER=otlp", "traces metrics")]
    [InlineData($"{Endpoint} OTEL_TRACES_EXPORTER=none", "metrics logs")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://traces:4318/v1/traces", "traces")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://metrics:4317", "metrics")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=http://logs:4317 OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf", "logs")]
    public void An_endpoint_switches_on_and_nothing_else_does(string variables, string on)
    {
        var settings = Read(variables);
        var signals = new[] { (settings.Traces, "traces"), (settings.Metrics, "metrics"), (settings.Logs, "logs") };
        Assert.Equal(on, string.Join(' ', signals.Where(signal => signal.Item1).Select(signal => signal.Item2)));
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT")]
    [InlineData("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=4317", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")]
    [InlineData($"{Endpoint} OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_PROTOCOL")]
    [InlineData($"{Endpoint} OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")]
    [InlineData($"{Endpoint} OTEL_METRICS_EXPORTER=prometheus", "OTEL_METRICS_EXPORTER")]
    [InlineData($"{Endpoint} OTEL_TRACES_SAMPLER=sometimes", "OTEL_TRACES_SAMPLER")]
    [InlineData($"{Endpoint} OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=5%", "OTEL_TRACES_SAMPLER_ARG")]
    public void A_value_that_cannot_be_followed_stops_the_process_and_is_named(string variables, string key) =>
        Assert.StartsWith($"{key} is '", Assert.Throws<BadSetting>(() => Read(variables)).Message, StringComparison.Ordinal);

    private static OtlpSettings Read(string variables) => OtlpSettings.Read(new ConfigurationBuilder()
        .AddInMemoryCollection(variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(variable => variable.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1])))
        .Build());
}
