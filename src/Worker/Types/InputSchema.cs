using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using QueueScale.Contracts;

namespace QueueScale.Worker;

/// <summary>The JSON schema of a job's input, derived from its type.</summary>
/// <remarks>Beside what System.Text.Json knows it carries <see cref="DescriptionAttribute"/>, <see cref="RangeAttribute"/>,
/// <see cref="RegularExpressionAttribute"/>, <see cref="MinLengthAttribute"/>, <see cref="MaxLengthAttribute"/> and <see cref="StringLengthAttribute"/>.
/// A type with a JSON converter of its own, whose form nobody can derive, says it in a public static property <c>string JsonSchema</c>.</remarks>
internal static class InputSchema
{
    private static readonly JsonSchemaExporterOptions Exporter = new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = WithAttributes };

    public static string Of(Type input) => JobJson.Options.GetJsonSchemaAsNode(input, Exporter).ToJsonString();

    private static JsonNode WithAttributes(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (context.TypeInfo.Type.GetProperty("JsonSchema", typeof(string)) is { GetMethod.IsStatic: true } own)
        {
            return JsonNode.Parse((string)own.GetValue(null)!)!;
        }

        // Anything goes, as for a JsonElement: `{}` says it like `true` and is a schema in every draft.
        var node = schema as JsonObject ?? [];
        if (node["not"] is JsonValue)
        {
            throw new ArgumentException(
                $"An input cannot hold a {context.TypeInfo.Type}, which JSON cannot carry (at '{string.Join('.', context.Path.ToArray())}'). Use text, numbers, lists and records of them, or a JsonElement.");
        }

        if (context.PropertyInfo?.AttributeProvider is not { } member)
        {
            return node;
        }

        var attributes = member.GetCustomAttributes(inherit: true).Concat(context.PropertyInfo.AssociatedParameter?.AttributeProvider?.GetCustomAttributes(inherit: true) ?? []);
        var isList = node["items"] is not null;
        foreach (var attribute in attributes)
        {
            switch (attribute)
            {
                case DescriptionAttribute description:
                    node["description"] = description.Description;
                    break;
                case RangeAttribute { Minimum: IConvertible minimum, Maximum: IConvertible maximum }:
                    node["minimum"] = minimum.ToDouble(null);
                    node["maximum"] = maximum.ToDouble(null);
                    break;
                case RegularExpressionAttribute pattern:
                    node["pattern"] = $"^(?:{pattern.Pattern})$(?!\\n)"; // in .NET '$' also matches before a last line break
                    break;
                case MinLengthAttribute length:
                    node[isList ? "minItems" : "minLength"] = length.Length;
                    break;
                case MaxLengthAttribute length:
                    node[isList ? "maxItems" : "maxLength"] = length.Length;
                    break;
                case StringLengthAttribute length:
                    node["minLength"] = length.MinimumLength;
                    node["maxLength"] = length.MaximumLength;
                    break;
            }
        }

        return node;
    }
}
