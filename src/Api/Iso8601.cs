using System.Text.RegularExpressions;
using System.Xml;

namespace QueueScale.Api;

/// <summary>Durations as callers write them: in days, hours, minutes and seconds, whose length does not depend on a calendar.</summary>
internal static partial class Iso8601
{
    /// <summary>The form in the words of JSON Schema.</summary>
    public const string Pattern = $"^{Form}$";

    private const string Form = "P(?=[0-9T])([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?";

    /// <summary>What a text must be, for a refusal.</summary>
    public static string Rule(TimeSpan least, TimeSpan most) =>
        $"must be an ISO 8601 duration in days, hours, minutes and seconds, such as PT90S, from {XmlConvert.ToString(least)} to {XmlConvert.ToString(most)}";

    /// <returns>Null where the text is none, or lies outside of the bounds.</returns>
    public static TimeSpan? Parse(string text, TimeSpan least, TimeSpan most)
    {
        try
        {
            return Whole().IsMatch(text) && XmlConvert.ToTimeSpan(text) is var span && span >= least && span <= most ? span : null;
        }
        catch (Exception error) when (error is FormatException or OverflowException)
        {
            return null;
        }
    }

    [GeneratedRegex($@"\A{Form}\z")]
    private static partial Regex Whole();
}
