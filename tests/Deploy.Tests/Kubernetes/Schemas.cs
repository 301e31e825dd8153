using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>The schemas of tests/Deploy.Tests/Schemas, by <c>apiVersion kind</c>.</summary>
internal static class Schemas
{
    private static readonly string Folder = Path.Combine(Checkout.Root, "tests", "Deploy.Tests", "Schemas");
    private static readonly JsonNode Core = Read("core.json");
    private static readonly JsonNode Triggers = Read("keda-triggers.json").At("triggers")!;
    private static readonly IReadOnlyDictionary<string, JsonNode> Kinds = BuiltIn().Concat(Custom()).ToDictionary();
    private static readonly SchemaCheck Checks = new(Core.At("definitions")!);

    /// <summary>Holds one object against the schema of its kind.</summary>
    public static IEnumerable<Finding> Check(JsonNode one)
    {
        if (one.Text("apiVersion") is not { } version || one.Text("kind") is not { } kind || one.At("metadata") is not JsonObject || one.Text("metadata", "name") is not { Length: > 0 })
        {
            return [new("document", "", "is no Kubernetes object: apiVersion, kind, metadata and metadata.name are needed")];
        }

        if (!Kinds.TryGetValue($"{version} {kind}", out var schema)) return [new(one.Title(), "apiVersion", $"no schema for {version} {kind}")];
        var flaws = Checks.Of(one, schema, "").ToArray();
        return (flaws.Length == 0 && kind == "ScaledObject" ? OfTriggers(one) : flaws).Select(flaw => new Finding(one.Title(), flaw.Path, flaw.Message));
    }

    /// <summary>What a trigger is told is free in the schema, because it differs from type to type.</summary>
    private static IEnumerable<(string Path, string Message)> OfTriggers(JsonNode one)
    {
        foreach (var (at, trigger) in one.Items("spec", "triggers").Index())
        {
            var (type, path) = (trigger.Text("type")!, $"spec.triggers[{at}]");
            if (Triggers.At(type) is not { } known)
            {
                yield return ($"{path}.type", $"no keys are listed for the trigger \"{type}\"");
                continue;
            }

            var keys = trigger.Texts("metadata").Keys.ToArray();
            foreach (var key in keys.Except(Names("allowed"))) yield return ($"{path}.metadata", $"unknown key \"{key}\" of the trigger \"{type}\"");
            foreach (var key in Names("required").Except(keys)) yield return ($"{path}.metadata", $"required key \"{key}\" of the trigger \"{type}\" is missing");

            IEnumerable<string> Names(string list) => known.Items(list).Select(name => $"{name}");
        }
    }

    private static IEnumerable<KeyValuePair<string, JsonNode>> BuiltIn() =>
        Core.Texts("kinds").Select(kind => KeyValuePair.Create(Name(kind.Key), Core.At("definitions", kind.Value)!));

    private static IEnumerable<KeyValuePair<string, JsonNode>> Custom()
    {
        foreach (var file in Directory.EnumerateFiles(Folder, "*_*.json"))
        {
            var resource = Read(file);
            var schema = resource.At("schema")!;
            schema["properties"]!["metadata"] = new JsonObject { ["$ref"] = "V1ObjectMeta" };
            yield return KeyValuePair.Create($"{resource.Text("group")}/{resource.Text("version")} {resource.Text("kind")}", schema);
        }
    }

    /// <summary>apps/v1/Deployment: apps/v1 Deployment.</summary>
    private static string Name(string kind) => $"{kind[..kind.LastIndexOf('/')]} {kind[(kind.LastIndexOf('/') + 1)..]}";

    private static JsonNode Read(string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, file)))!;
}
