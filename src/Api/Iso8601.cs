using System.Xml;

namespace QueueScale.Api;

/// <summary>Durations as callers write them: in days, hours, minutes and seconds, whose length does not depend on a calendar.</summary>
internal static class Iso8601
{
    /// <summary>What a text must be, for a refusal.</summary>
    public static string Rule(TimeSpan least, TimeSpan most) =>
        $"must be an ISO 8601 duration in days, hours, minutes and seconds, such as PT90S, from {XmlConvert.ToString(least)} to {XmlConvert.ToString(most)}";

    /// <returns>Null where the text is none, or lies outside of the bounds.</returns>
    public static TimeSpan? Parse(string text, TimeSpan least, TimeSpan most)
    {
        var (month, time) = (text.IndexOf('M', StringComparison.Ordinal), text.IndexOf('T', StringComparison.Ordinal));
        if (text.Contains('Y', StringComparison.Ordinal) || (month >= 0 && (time < 0 || month < time)))
        {
            return null;
        }

        try
        {
            return XmlConvert.ToTimeSpan(text) is var span && span >= least && span <= most ? span : null;
        }
        catch (Exception error) when (error is FormatException or OverflowException)
        {
            return null;
        }
    }
}
