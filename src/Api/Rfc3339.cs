using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>Points in time as callers write them: a date, a time and an offset. Nothing else is a point in time.</summary>
internal static partial class Rfc3339
{
    /// <summary>What a text must be, for a refusal.</summary>
    public const string Rule = "must be a time such as 2030-01-31T12:00:00Z";

    /// <returns>UTC; null where the text is none.</returns>
    public static DateTime? Parse(string text) =>
        Form().IsMatch(text) && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time.UtcDateTime : null;

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\z")]
    private static partial Regex Form();
}
