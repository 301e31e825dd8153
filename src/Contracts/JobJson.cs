using System.Text.Json;
using System.Text.Json.Serialization;

namespace QueueScale.Contracts;

/// <summary>How inputs, results and checkpoints are written as JSON, and read back strictly.</summary>
public static class JobJson
{
    /// <summary>camelCase, enums as text. Reading refuses unknown members, duplicates, missing constructor parameters and nulls where none may be.</summary>
    public static JsonSerializerOptions Options { get; } = Make();

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
            RespectNullableAnnotations = true,
            RespectRequiredConstructorParameters = true,
            AllowDuplicateProperties = false,
            NumberHandling = JsonNumberHandling.Strict,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        };
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
