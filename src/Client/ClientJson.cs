using System.Text.Json;
using System.Text.Json.Serialization;

namespace QueueScale.Client;

/// <summary>camelCase, enums as text, absent members omitted. Members that a newer API may send are passed over.</summary>
internal static class ClientJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };
}
