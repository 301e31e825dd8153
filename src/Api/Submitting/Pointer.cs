using System.Globalization;
using System.Text.Json;

namespace QueueScale.Api;

/// <summary>JSON pointers (RFC 6901).</summary>
internal static class Pointer
{
    /// <summary>A member's name as a step of a pointer.</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>What a pointer leads to.</summary>
    /// <exception cref="KeyNotFoundException">Nothing is there.</exception>
    public static JsonElement Find(JsonElement root, string pointer) => pointer.Split('/').Skip(1).Select(Unescape).Aggregate(root, (found, step) =>
        found.ValueKind == JsonValueKind.Object && found.TryGetProperty(step, out var member) ? member
        : found.ValueKind == JsonValueKind.Array && int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < found.GetArrayLength() ? found[index]
        : throw new KeyNotFoundException($"Nothing is at {pointer}."));

    private static string Unescape(string step) => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
}
