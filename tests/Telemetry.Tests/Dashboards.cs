using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>A query of a panel.</summary>
public sealed record PanelQuery(string Dashboard, string Panel, string Expression, string Legend);

/// <summary>The dashboards of monitoring/grafana.</summary>
internal static class Dashboards
{
    public static string Folder => Path.Combine(Checkout.Root, "monitoring", "grafana");

    public static IEnumerable<string> Files => Directory.EnumerateFiles(Folder, "*.json").Order(StringComparer.Ordinal);

    public static JsonElement Read(string file) => JsonElement.Parse(File.ReadAllText(file));

    /// <summary>The queries, with everything chosen that the variables offer.</summary>
    public static IEnumerable<PanelQuery> Queries(string file, string instances) =>
        from panel in Read(file).GetProperty("panels").EnumerateArray()
        from target in panel.GetProperty("targets").EnumerateArray()
        select new PanelQuery(
            Path.GetFileName(file), panel.GetProperty("title").GetString()!,
            target.GetProperty("expr").GetString()!
                .Replace("$__rate_interval", "1m", StringComparison.Ordinal)
                .Replace("$job", ".+", StringComparison.Ordinal)
                .Replace("$queue", ".+", StringComparison.Ordinal)
                .Replace("$instance", instances, StringComparison.Ordinal),
            target.GetProperty("legendFormat").GetString()!);
}
