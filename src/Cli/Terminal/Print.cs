using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using QueueScale.Local;

namespace QueueScale.Cli.Terminal;

/// <summary>What commands print: text for people, or one line of JSON for programs.</summary>
internal static class Print
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    public static Option<bool> JsonOption() => new("--json") { Description = "Print one line of JSON; whatever else there is to say goes to the error output." };

    public static void Json<T>(T value) => Console.Out.WriteLine(JsonSerializer.Serialize(value, Options));

    /// <summary>Prints steps as they happen.</summary>
    /// <param name="json">Whether the output is kept for JSON.</param>
    public static Tell Steps(bool json)
    {
        var to = json ? Console.Error : Console.Out; // both are safe for use by several threads
        return (what, text) => to.WriteLine($"{what,-16} {text}");
    }

    /// <summary>Prints aligned columns under a heading.</summary>
    public static void Table(string[] heading, IEnumerable<string[]> rows)
    {
        string[][] all = [heading, .. rows];
        int[] widths = [.. heading.Select((_, column) => all.Max(row => row[column].Length))];
        foreach (var row in all) Console.Out.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>A span of time, short: <c>0.4 s</c>, <c>3 min</c>, <c>2 d</c>.</summary>
    public static string Short(TimeSpan span) => span switch
    {
        { TotalSeconds: < 10 } => $"{Math.Max(0, span.TotalSeconds):0.0} s",
        { TotalSeconds: < 120 } => $"{span.TotalSeconds:0} s",
        { TotalMinutes: < 120 } => $"{span.TotalMinutes:0} min",
        { TotalHours: < 48 } => $"{span.TotalHours:0} h",
        _ => $"{span.TotalDays:0} d",
    };

    /// <summary>A whole number with separators: <c>1,000,000</c>.</summary>
    public static string Number(long number) => number.ToString("#,0", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>How a value of an enum is written in JSON: <c>timedOut</c>.</summary>
    public static string Word(Enum value) => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());
}
