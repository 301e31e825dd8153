using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>One of the five fields of a cron expression, as crontab users know it: values, ranges, steps, and lists of them.</summary>
/// <param name="Called">What a refusal calls it.</param>
/// <param name="Least">Its least value.</param>
/// <param name="Most">Its greatest value.</param>
/// <param name="Names">Words for its values, that of the least first.</param>
internal sealed partial record CronField(string Called, int Least, int Most, params string[] Names)
{
    public static readonly CronField Minute = new("minute", 0, 59);

    public static readonly CronField Hour = new("hour", 0, 23);

    public static readonly CronField Day = new("day of the month", 1, 31);

    public static readonly CronField Month = new("month", 1, 12, "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec");

    /// <summary>0 and 7 are Sunday.</summary>
    public static readonly CronField Weekday = new("day of the week", 0, 7, "sun", "mon", "tue", "wed", "thu", "fri", "sat");

    /// <summary>What a text must be, for a refusal.</summary>
    public string Rule =>
        $"takes {Least} to {Most}{(Names.Length > 0 ? $" or {Names[0]} to {Names[^1]}" : "")}, * for all, ranges such as {Least + 1}-{Least + 4}, steps such as */2 or {Least + 1}-{Least + 4}/2, and lists of these with commas";

    /// <returns>The values that fit; null where the text is no such field.</returns>
    public SortedSet<int>? Read(string text)
    {
        var values = new SortedSet<int>();
        foreach (var item in text.Split(','))
        {
            if (Item().Match(item) is not { Success: true } match || Range(match) is not var (from, to) || Step(match) is not { } step)
            {
                return null;
            }

            for (var value = from; value <= to; value += step)
            {
                values.Add(value);
            }
        }

        return values;
    }

    private (int From, int To)? Range(Match item)
    {
        if (item.Groups["all"].Success)
        {
            return (Least, Most);
        }

        var from = Value(item.Groups["from"].Value);
        var to = item.Groups["to"].Success ? Value(item.Groups["to"].Value) : from;
        if (to == 0 && from > to && this == Weekday)
        {
            to = Most; // a range that ends on Sunday
        }

        return from <= to ? (from.Value, to.Value) : null;
    }

    private int? Step(Match item) =>
        !item.Groups["step"].Success ? 1
        : (item.Groups["all"].Success || item.Groups["to"].Success) && Number(item.Groups["step"].Value) is var step && step >= 1 && step <= Most ? step
        : null;

    private int? Value(string text) =>
        Array.FindIndex(Names, name => name.Equals(text, StringComparison.OrdinalIgnoreCase)) is >= 0 and var place ? Least + place
        : Number(text) is { } value && value >= Least && value <= Most ? value
        : null;

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    [GeneratedRegex(@"\A(?:(?<all>\*)|(?<from>[A-Za-z0-9]+)(?:-(?<to>[A-Za-z0-9]+))?)(?:/(?<step>[0-9]+))?\z")]
    private static partial Regex Item();
}
