using OpenTelemetry.Metrics;

namespace QueueScale.Hosting;

/// <summary>The name under which Prometheus knows an instrument.</summary>
/// <remarks>The rules of OpenTelemetry's Prometheus exporters, so that public dashboards for ASP.NET Core and .NET work as they are: dots become underscores,
/// the unit is appended, counters end in <c>_total</c>.</remarks>
public static class MetricName
{
    /// <param name="name">The instrument's name, such as <c>http.server.request.duration</c>.</param>
    /// <param name="unit">Its UCUM unit, such as <c>s</c>, <c>By</c> or <c>{request}</c>.</param>
    /// <param name="type">What it is.</param>
    public static string Of(string name, string unit, MetricType type)
    {
        var full = Cleaned(name);
        var written = Written(unit, type);
        if (written.Length > 0 && !full.EndsWith(written, StringComparison.Ordinal))
        {
            full += $"_{written}";
        }

        return IsCounter(type) && !full.EndsWith("_total", StringComparison.Ordinal) ? full + "_total" : full;
    }

    /// <summary>A name of a label or a metric with everything else than letters, digits and underscores replaced.</summary>
    internal static string Cleaned(string name) => string.Create(name.Length, name, static (cleaned, from) =>
    {
        for (var i = 0; i < cleaned.Length; i++)
        {
            cleaned[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
        }
    });

    internal static bool IsCounter(MetricType type) => type is MetricType.LongSum or MetricType.DoubleSum;

    private static string Written(string unit, MetricType type) => unit switch
    {
        "" or ['{', .., '}'] => "",
        "s" => "seconds",
        "ms" => "milliseconds",
        "By" => "bytes",
        "1" => type is MetricType.LongGauge or MetricType.DoubleGauge ? "ratio" : "",
        "%" => "percent",
        _ => Cleaned(unit),
    };
}
