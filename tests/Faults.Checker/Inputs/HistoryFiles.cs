using System.Text.Json;
using System.Text.Json.Serialization;
using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>The files of a history in its folder: JSON, one object a line where there are many. Ledgers lie beside them under <c>*.ledger</c>.</summary>
public static class HistoryFiles
{
    public const string Client = "client.jsonl";
    public const string Jobs = "jobs.jsonl";
    public const string Runs = "runs.jsonl";
    public const string Moves = "moves.jsonl";
    public const string Faults = "faults.jsonl";
    public const string Depth = "depth.jsonl";
    public const string AfterDrain = "after-drain.json";
    public const string Options = "options.json";
    public const string Ledgers = "*.ledger";

    private static readonly JsonSerializerOptions Json = new(JobJson.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>The object as one line, without its end.</summary>
    public static string Line<T>(T item) => JsonSerializer.Serialize(item, Json);

    /// <exception cref="InvalidDataException">The line is not such an object.</exception>
    public static T Parse<T>(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, Json) ?? throw new InvalidDataException($"null is no {typeof(T).Name}.");
        }
        catch (JsonException error)
        {
            throw new InvalidDataException($"No {typeof(T).Name}: {error.Message} Line: {line}", error);
        }
    }

    /// <summary>Reads a file of lines; one that is not there is empty.</summary>
    /// <exception cref="InvalidDataException">A line cannot be read.</exception>
    internal static List<T> ReadLines<T>(string folder, string name) =>
        Path.Combine(folder, name) is var path && File.Exists(path) ? [.. File.ReadLines(path).Select(Parse<T>)] : [];

    internal static void WriteLines<T>(string folder, string name, IEnumerable<T> items) => File.WriteAllLines(Path.Combine(folder, name), items.Select(Line));
}
