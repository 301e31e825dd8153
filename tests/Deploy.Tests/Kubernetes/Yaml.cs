using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace QueueScale.Tests;

/// <summary>YAML as Kubernetes and Prometheus read it: YAML 1.1, made JSON.</summary>
internal static partial class Yaml
{
    /// <exception cref="YamlException">It is no YAML, a mapping names a key twice, or a key is no text.</exception>
    public static IReadOnlyList<JsonNode> Documents(string text)
    {
        var stream = new YamlStream(); // refuses a key that stands twice
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(document => Node(document.RootNode)).OfType<JsonNode>()];
    }

    private static JsonNode? Node(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(Key(pair.Key), Node(pair.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(Node)]),
        YamlScalarNode { Style: ScalarStyle.Plain } plain => Plain(plain.Value ?? ""),
        YamlScalarNode quoted => JsonValue.Create(quoted.Value),
        _ => throw new YamlException(node.Start, node.End, $"{node.NodeType} has no place in a manifest"),
    };

    /// <summary><c>on:</c> or <c>1:</c> would be a key of another name than the one that is written.</summary>
    private static string Key(YamlNode node) => Node(node) is JsonValue key && key.TryGetValue<string>(out var text)
        ? text
        : throw new YamlException(node.Start, node.End, $"the key {node} is no text; quote it");

    /// <summary>What is not quoted. Dates stay texts, as they do in Kubernetes.</summary>
    private static JsonNode? Plain(string text) =>
        Null().IsMatch(text) ? null
        : True().IsMatch(text) ? true
        : False().IsMatch(text) ? false
        : Octal().Match(text) is { Success: true } octal ? Number(Convert.ToInt64(octal.Groups["digits"].Value, 8))
        : Hexadecimal().Match(text) is { Success: true } hexadecimal ? Number(Convert.ToInt64(hexadecimal.Groups["digits"].Value, 16))
        : Decimal().IsMatch(text) ? Number(double.Parse(text, CultureInfo.InvariantCulture))
        : text;

    /// <summary>A number as JSON text would give it, so that it can be read as any type that it fits.</summary>
    private static JsonNode Number(double number) => JsonNode.Parse(number.ToString(CultureInfo.InvariantCulture))!;

    [GeneratedRegex("^(|~|null|Null|NULL)$")]
    private static partial Regex Null();

    [GeneratedRegex("^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$")]
    private static partial Regex True();

    [GeneratedRegex("^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$")]
    private static partial Regex False();

    [GeneratedRegex("^0o?(?<digits>[0-7]+)$")]
    private static partial Regex Octal();

    [GeneratedRegex("^0x(?<digits>[0-9a-fA-F]+)$")]
    private static partial Regex Hexadecimal();

    [GeneratedRegex(@"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")]
    private static partial Regex Decimal();
}
