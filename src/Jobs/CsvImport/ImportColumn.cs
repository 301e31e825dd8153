using System.Text.Json;
using System.Text.Json.Serialization;

namespace QueueScale.Jobs;

/// <summary>A column: in JSON its name alone, or <c>{name, type}</c>.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Type">One of <see cref="ColumnType.All"/>.</param>
[JsonConverter(typeof(ImportColumnJson))]
public sealed record ImportColumn(string Name, string Type = "text")
{
    /// <summary>The JSON schema of a column, which cannot be derived from the type.</summary>
    public static string JsonSchema => $$"""
        {
          "anyOf": [
            {"type": "string", "pattern": "{{ColumnNames.ColumnPattern}}"},
            {
              "type": "object",
              "properties": {
                "name": {"type": "string", "pattern": "{{ColumnNames.ColumnPattern}}"},
                "type": {"enum": [{{string.Join(", ", ColumnType.All.Select(type => $"\"{type.Name}\""))}}]}
              },
              "required": ["name"],
              "additionalProperties": false
            }
          ]
        }
        """;
}

internal sealed class ImportColumnJson : JsonConverter<ImportColumn>
{
    public override bool HandleNull => true;

    public override ImportColumn Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String) return new ImportColumn(reader.GetString()!);
        var column = JsonSerializer.Deserialize<Column>(ref reader, options) ?? throw new JsonException("A column is its name or {name, type}.");
        return new ImportColumn(column.Name, column.Type);
    }

    public override void Write(Utf8JsonWriter writer, ImportColumn value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, new Column(value.Name, value.Type), options);

    private sealed record Column(string Name, string Type = "text");
}
