using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>Holds a value against a schema of Kubernetes, strictly: a field that the schema does not name is wrong, as it is for <c>kubectl apply --validate=strict</c>.</summary>
/// <param name="definitions">What <c>$ref</c> names.</param>
internal sealed partial class SchemaCheck(JsonNode definitions)
{
    /// <summary>Lists whose items Kubernetes tells apart by their names, without the schema saying so.</summary>
    private static readonly string[] NamedItems = ["containers", "initContainers", "env", "volumes", "ports"];

    /// <param name="conditions">The schema stands in an alternative: it adds conditions to fields, and need not name all of them.</param>
    /// <returns>Paths below <paramref name="path"/>, with what is wrong there.</returns>
    public IEnumerable<(string Path, string Message)> Of(JsonNode? value, JsonNode schema, string path, bool conditions = false)
    {
        if (value is null) return []; // the API server drops it
        if (schema.Text("$ref") is { } name)
        {
            var (choice, target) = (schema.At("enum"), definitions.At(name) ?? throw new InvalidDataException($"The schemas do not define {name}."));
            return [.. Of(value, target, path, conditions), .. Choice(value, choice).Select(message => (path, message))];
        }

        if (WrongType(value, schema) is { } wrong) return [(path, wrong)];
        return
        [
            .. Limits(value, schema).Select(message => (path, message)),
            .. value switch { JsonObject fields => OfFields(fields, schema, path, conditions), JsonArray items => OfItems(items, schema, path, conditions), _ => [] },
            .. OfAlternatives(value, schema, path),
        ];
    }

    private static string? WrongType(JsonNode value, JsonNode schema)
    {
        var type = value.GetValueKind() switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.Number => value.AsValue().TryGetValue<long>(out _) ? "integer" : "number",
            _ => "boolean",
        };
        if (schema.Flag("x-kubernetes-int-or-string")) return type is "integer" or "string" ? null : $"must be an integer or a string, is {type}";
        if (schema.Flag("x-quantity")) return type is "integer" or "number" or "string" && Quantity().IsMatch($"{value}") ? null : $"\"{value}\" is not a quantity (such as 250m or 128Mi)";
        return schema.Text("type") is not { } must || must == type || (must, type) == ("number", "integer") ? null
            : $"must be {must}, is {type} ({value.ToJsonString()}){(must == "string" ? "; quote it" : "")}";
    }

    private static IEnumerable<string> Limits(JsonNode value, JsonNode schema)
    {
        foreach (var message in Choice(value, schema.At("enum"))) yield return message;
        (string Unit, double Is, JsonNode? Least, JsonNode? Most) size = value.GetValueKind() switch
        {
            JsonValueKind.String => ("characters", (double)$"{value}".Length, schema.At("minLength"), schema.At("maxLength")),
            JsonValueKind.Array => ("items", value.AsArray().Count, schema.At("minItems"), schema.At("maxItems")),
            JsonValueKind.Number => ("", (double)value, schema.At("minimum"), schema.At("maximum")),
            _ => default,
        };
        if (size.Is < (double?)size.Least || size.Is > (double?)size.Most) yield return $"{size.Is} {size.Unit} lies outside of {size.Least}..{size.Most}";
        if (schema.Text("pattern") is { } pattern && value.GetValueKind() == JsonValueKind.String && !Regex.IsMatch($"{value}", pattern, RegexOptions.CultureInvariant))
        {
            yield return $"\"{value}\" does not match {pattern}";
        }
    }

    private static IEnumerable<string> Choice(JsonNode value, JsonNode? choice) =>
        choice is JsonArray allowed && !allowed.Any(one => JsonNode.DeepEquals(one, value)) ? [$"\"{value}\" is not one of {string.Join(", ", allowed)}"] : [];

    private IEnumerable<(string, string)> OfFields(JsonObject fields, JsonNode schema, string path, bool conditions)
    {
        var (named, others) = (schema.At("properties"), schema.At("additionalProperties"));
        var isOpen = conditions || schema.Flag("additionalProperties") || schema.Flag("x-kubernetes-preserve-unknown-fields") || (named is null && schema.At("type") is null);
        foreach (var required in schema.Items("required").Select(name => $"{name}").Where(name => fields[name] is null)) yield return (path, $"required field \"{required}\" is missing");
        foreach (var (name, value) in fields)
        {
            if ((named.At(name) ?? others as JsonObject) is not { } known)
            {
                if (!isOpen) yield return (path, $"unknown field \"{name}\"");
                continue;
            }

            foreach (var wrong in Of(value, known, path.Length == 0 ? name : $"{path}.{name}", conditions)) yield return wrong;
        }
    }

    private IEnumerable<(string, string)> OfItems(JsonArray items, JsonNode schema, string path, bool conditions)
    {
        string[] keys = [.. schema.Items("x-kubernetes-list-map-keys").Select(key => $"{key}")];
        if (keys.Length == 0 && NamedItems.Contains(path.Split('.')[^1]) && items.All(item => item.Text("name") is not null)) keys = ["name"];
        var seen = new HashSet<string>();
        foreach (var (at, item) in items.Index())
        {
            if (schema.At("items") is { } one)
            {
                foreach (var wrong in Of(item, one, $"{path}[{at}]", conditions)) yield return wrong;
            }

            var identity = string.Join(", ", keys.Select(key => $"{key} \"{item.Text(key)}\""));
            if (keys.Length > 0 && !seen.Add(identity)) yield return ($"{path}[{at}]", $"a second one with {identity}");
        }
    }

    private IEnumerable<(string, string)> OfAlternatives(JsonNode value, JsonNode schema, string path)
    {
        foreach (var wrong in schema.Items("allOf").SelectMany(all => Of(value, all, path, conditions: true))) yield return wrong;
        foreach (var word in (string[])["anyOf", "oneOf"])
        {
            JsonNode[] alternatives = [.. schema.Items(word)];
            var fits = alternatives.Count(Fits);
            if (alternatives.Length > 0 && (fits == 0 || (word == "oneOf" && fits > 1))) yield return (path, $"fits {fits} of the {alternatives.Length} alternatives ({word})");
        }

        if (schema.At("not") is { } not && Fits(not)) yield return (path, "has a combination of fields that is not allowed");

        bool Fits(JsonNode alternative) => !Of(value, alternative, path, conditions: true).Any();
    }

    [GeneratedRegex(@"^[+-]?(\d+(\.\d*)?|\.\d+)(([KMGTPE]i)|[numkMGTPE]|([eE][+-]?\d+))?$")]
    private static partial Regex Quantity();
}
