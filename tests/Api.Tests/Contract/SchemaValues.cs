using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>Values that a JSON schema allows.</summary>
/// <param name="root">What references begin from.</param>
/// <param name="random">Chooses among them.</param>
internal sealed class SchemaValues(JsonElement root, Random random)
{
    private const int Deepest = 6;

    /// <summary>Texts for the patterns that schemas ask for.</summary>
    private static readonly string[] Samples =
        ["default", "a-b_c-9", "0", "bulk", "PT0S", "PT0.001S", "PT1H30M", "P1D", "P30D", "P2DT3H4M5.5S", "wait=0", "id,state", "links", "abc", "é", "😀 日本", "a b", "8e03978e-40d5-43e8-bc93-6894a57f9324"];

    private static readonly string[] Letters = ["a", "Z", "7", " ", "-", "é", "漢", "😀", "\u200f", "\"", "\\", "/", "~", "'", "<", "%", "\u2028"];

    /// <summary>Chooses the value of a member by its name, where its schema alone does not say what is accepted.</summary>
    public Func<string, JsonNode?> Named { get; init; } = _ => null;

    public JsonNode? Fitting(JsonElement schema, string name = "", int depth = 0)
    {
        if (schema.ValueKind is JsonValueKind.True || depth > Deepest)
        {
            return Anything(depth);
        }

        if (schema.TryGetProperty("$ref", out var address))
        {
            return Fitting(address.GetString()!.Split('/').Skip(1).Aggregate(root, (found, step) => found.GetProperty(step)), name, depth);
        }

        if (Named(name) is { } named)
        {
            return named;
        }

        if (schema.TryGetProperty("anyOf", out var forms) || schema.TryGetProperty("oneOf", out forms))
        {
            return Fitting(Pick([.. forms.EnumerateArray()]), name, depth);
        }

        if (schema.TryGetProperty("enum", out var words))
        {
            return JsonNode.Parse(Pick([.. words.EnumerateArray()]).GetRawText());
        }

        return TypeOf(schema) switch
        {
            "object" => Object(schema, depth),
            "array" => Array(schema, depth),
            "string" => Text(schema),
            "integer" => random.NextInt64(Bound(schema, "minimum", -1000), Bound(schema, "maximum", 1000) + 1),
            "number" => Math.Round((random.NextDouble() * 1000) + Bound(schema, "minimum", 0), 3),
            "boolean" => random.Next(2) == 0,
            "null" => null,
            _ => Anything(depth),
        };
    }

    /// <summary>A value at one of the bounds that a schema sets, or one beyond it; absent where it sets none.</summary>
    public IReadOnlyList<JsonNode> Edges(JsonElement schema)
    {
        var edges = new List<JsonNode>();
        foreach (var bound in schema.ValueKind == JsonValueKind.Object ? schema.EnumerateObject() : default)
        {
            switch (bound.Name)
            {
                case "minimum" or "maximum":
                    edges.AddRange([bound.Value.GetDecimal(), bound.Value.GetDecimal() + (bound.Name == "maximum" ? 1 : -1)]);
                    break;
                case "minLength" or "maxLength":
                    edges.AddRange([new string('x', bound.Value.GetInt32()), new string('x', bound.Value.GetInt32() + (bound.Name == "maxLength" ? 1 : -1))]);
                    break;
                case "maxItems":
                    edges.AddRange([.. new[] { bound.Value.GetInt32(), bound.Value.GetInt32() + 1 }.Select(count => new JsonArray([.. Enumerable.Range(0, count).Select(_ => Fitting(schema.GetProperty("items")))]))]);
                    break;
            }
        }

        return edges;
    }

    /// <summary>Any JSON.</summary>
    public JsonNode? Anything(int depth = 0) => random.Next(depth > Deepest ? 5 : 7) switch
    {
        0 => null,
        1 => random.Next(2) == 0,
        2 => random.Next(-1_000_000, 1_000_000),
        3 => Math.Round(random.NextDouble(), 6),
        4 => Word(0, 12),
        5 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Anything(depth + 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(4)).Select(i => KeyValuePair.Create($"{i}{Word(0, 4)}", Anything(depth + 1)))),
    };

    public T Pick<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];

    private string Word(int least, int most) => string.Concat(Enumerable.Range(0, random.Next(least, most + 1)).Select(_ => Pick(Letters)));

    private JsonObject Object(JsonElement schema, int depth)
    {
        var made = new JsonObject();
        var required = schema.TryGetProperty("required", out var names) ? names.EnumerateArray().Select(name => name.GetString()!).ToHashSet() : [];
        foreach (var member in schema.TryGetProperty("properties", out var members) ? members.EnumerateObject() : default)
        {
            if (member.Value.ValueKind != JsonValueKind.False && (required.Contains(member.Name) || random.Next(3) == 0))
            {
                made[member.Name] = Fitting(member.Value, member.Name, depth + 1);
            }
        }

        if (schema.TryGetProperty("additionalProperties", out var others) && others.ValueKind == JsonValueKind.Object)
        {
            made[$"x{random.Next(100)}"] = Fitting(others, "", depth + 1);
        }

        return made;
    }

    private JsonArray Array(JsonElement schema, int depth)
    {
        var most = Bound(schema, "maxItems", 4);
        var items = schema.TryGetProperty("items", out var item) ? item : JsonElement.Parse("true");
        return new JsonArray([.. Enumerable.Range(0, random.Next((int)Bound(schema, "minItems", 0), (int)Math.Min(most, 10) + 1)).Select(_ => Fitting(items, "", depth + 1))]);
    }

    private string Text(JsonElement schema)
    {
        if (schema.TryGetProperty("pattern", out var pattern))
        {
            var fitting = Samples.Where(sample => Regex.IsMatch(sample, pattern.GetString()!) && sample.Length >= Bound(schema, "minLength", 0) && sample.Length <= Bound(schema, "maxLength", 1000)).ToArray();
            return fitting.Length > 0 ? Pick(fitting) : throw new InvalidOperationException($"No sample fits {pattern}: add one to {nameof(Samples)}.");
        }

        return (schema.TryGetProperty("format", out var format) ? format.GetString() : null) switch
        {
            "uuid" => $"{new Guid([.. Enumerable.Range(0, 16).Select(_ => (byte)random.Next(256))])}",
            "date-time" => DateTime.UnixEpoch.AddSeconds(random.NextInt64(1_900_000_000)).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            _ => Word((int)Bound(schema, "minLength", 0), (int)Math.Min(Bound(schema, "maxLength", 8), 8) / 2),
        };
    }

    private string? TypeOf(JsonElement schema)
    {
        if (!schema.TryGetProperty("type", out var type))
        {
            return schema.TryGetProperty("properties", out _) ? "object" : null;
        }

        return type.ValueKind == JsonValueKind.String ? type.GetString() : Pick([.. type.EnumerateArray().Select(one => one.GetString())]);
    }

    private static long Bound(JsonElement schema, string keyword, long otherwise) => schema.TryGetProperty(keyword, out var bound) ? bound.TryGetInt64(out var whole) ? whole : (long)bound.GetDouble() : otherwise;
}
