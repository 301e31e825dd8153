using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Testing;

/// <summary>Writes and reads what QueueScale would store, and says what is wrong where it cannot.</summary>
internal static class StoredJson
{
    public static string Write<T>(T value, string what)
    {
        try
        {
            return JsonSerializer.Serialize(value, JobJson.Options);
        }
        catch (Exception error) // whatever a converter or a type without one throws
        {
            throw new JobHarnessException($"The {what}, a {typeof(T)}, cannot be written as JSON: {error.Message}", error);
        }
    }

    public static TInput ReadInput<TInput>(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<TInput>(json, JobJson.Options) ?? throw new JsonException("It is null.");
        }
        catch (Exception error) // whatever a converter or a type without one throws
        {
            throw new JobHarnessException(
                $"The input does not come back from JSON as a {typeof(TInput)}, so no submission could give it. {error.Message} It is: {json}", error);
        }
    }
}
