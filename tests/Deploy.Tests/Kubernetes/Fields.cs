using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>Ways into a manifest that end in nothing where a field is missing.</summary>
internal static class Fields
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path) node = (node as JsonObject)?[name];
        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path)?.ToString();

    public static bool Flag(this JsonNode? node, params ReadOnlySpan<string> path) => node.Text(path) == "true";

    public static int? Number(this JsonNode? node, params ReadOnlySpan<string> path) => (int?)node.At(path);

    public static IEnumerable<JsonNode> Items(this JsonNode? node, params ReadOnlySpan<string> path) => (node.At(path) as JsonArray ?? []).OfType<JsonNode>();

    public static IReadOnlyDictionary<string, string> Texts(this JsonNode? node, params ReadOnlySpan<string> path) =>
        (node.At(path) as JsonObject ?? []).ToDictionary(pair => pair.Key, pair => $"{pair.Value}");

    /// <summary>What a workload makes its pods of, or null where the object is none.</summary>
    public static JsonNode? PodTemplate(this JsonNode workload) => workload.Text("kind") switch
    {
        "Pod" => workload,
        "Deployment" or "StatefulSet" or "DaemonSet" or "Job" => workload.At("spec", "template"),
        "CronJob" => workload.At("spec", "jobTemplate", "spec", "template"),
        _ => null,
    };

    public static IEnumerable<JsonNode> Containers(this JsonNode? template) => template.Items("spec", "initContainers").Concat(template.Items("spec", "containers"));

    public static string Title(this JsonNode one) => $"{one.Text("kind")}/{one.Text("metadata", "name")}";
}
