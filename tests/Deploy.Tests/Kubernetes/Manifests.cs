using System.Text.Json.Nodes;
using YamlDotNet.Core;

namespace QueueScale.Tests;

/// <summary>Checks manifests strictly, without a cluster.</summary>
internal static class Manifests
{
    public static IReadOnlyList<JsonNode> Read(string yaml) =>
        [.. Yaml.Documents(yaml).SelectMany(document => document.Text("kind") == "List" ? document.Items("items") : [document])];

    /// <summary>Everything wrong with a set of objects: first each by itself; when each is right, all together.</summary>
    /// <param name="yaml">The objects.</param>
    /// <param name="elsewhere">KIND/NAME of what others define.</param>
    public static IReadOnlyList<Finding> Check(string yaml, params string[] elsewhere)
    {
        try
        {
            var objects = Read(yaml);
            if (objects.Count == 0) return [new("manifest", "", "has no object")];
            Finding[] alone = [.. objects.SelectMany(Schemas.Check)];
            return alone.Length > 0 ? alone : SetCheck.Of(objects, elsewhere);
        }
        catch (YamlException error)
        {
            return [new("manifest", $"line {error.Start.Line}", error.Message)];
        }
    }
}
