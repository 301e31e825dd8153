using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace QueueScale.Hosting;

/// <summary>What is sent by OTLP: what has an endpoint and is not switched off, by OpenTelemetry's own variables.</summary>
/// <param name="Traces">Whether spans are made and sent.</param>
/// <param name="Metrics">Whether metrics are sent; <c>/metrics</c> answers either way.</param>
/// <param name="Logs">Whether logs are sent; they are written to the output either way.</param>
/// <remarks>The SDK reads the rest of the variables itself, but answers what it cannot read with its default and says so nowhere; hence the checks.</remarks>
internal sealed record OtlpSettings(bool Traces, bool Metrics, bool Logs)
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private static readonly string[] Samplers =
        ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"];

    public bool Any => Traces || Metrics || Logs;

    /// <exception cref="BadSetting">One of the variables cannot be followed.</exception>
    public static OtlpSettings Read(IConfiguration configuration)
    {
        if (string.Equals(configuration["OTEL_SDK_DISABLED"], "true", StringComparison.OrdinalIgnoreCase))
        {
            return new OtlpSettings(false, false, false);
        }

        var settings = new OtlpSettings(IsOn(configuration, "TRACES"), IsOn(configuration, "METRICS"), IsOn(configuration, "LOGS"));
        if (settings.Any)
        {
            Check(configuration, "OTEL_EXPORTER_OTLP_PROTOCOL", IsProtocol, "'grpc' (the default) or 'http/protobuf'");
        }

        if (settings.Traces)
        {
            Check(configuration, "OTEL_TRACES_SAMPLER", value => Samplers.Contains(value, StringComparer.OrdinalIgnoreCase), string.Join(", ", Samplers));
            Check(configuration, "OTEL_TRACES_SAMPLER_ARG", value => double.TryParse(value, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1, "a number from 0 to 1");
        }

        return settings;
    }

    private static bool IsOn(IConfiguration configuration, string signal)
    {
        var own = $"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT";
        Check(configuration, $"OTEL_{signal}_EXPORTER", value => value is "otlp" or "none", "'otlp' (the default) or 'none'");
        if (configuration[$"OTEL_{signal}_EXPORTER"] == "none" || (configuration[own] is not { Length: > 0 } && configuration[Endpoint] is not { Length: > 0 }))
        {
            return false;
        }

        Check(configuration, Endpoint, IsAddress, "an address such as 'http://collector:4317'");
        Check(configuration, own, IsAddress, "an address such as 'http://collector:4317'");
        Check(configuration, $"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", IsProtocol, "'grpc' (the default) or 'http/protobuf'");
        return true;
    }

    private static bool IsProtocol(string value) => value is "grpc" or "http/protobuf";

    private static bool IsAddress(string value) => Uri.TryCreate(value, UriKind.Absolute, out var address) && address.Scheme is "http" or "https";

    private static void Check(IConfiguration configuration, string key, Func<string, bool> isGood, string rule)
    {
        if (configuration[key] is { Length: > 0 } value && !isGood(value))
        {
            throw new BadSetting($"{key} is '{value}'. Set it to {rule}, or remove it.");
        }
    }
}
