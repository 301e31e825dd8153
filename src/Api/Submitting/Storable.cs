using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>What of an input PostgreSQL cannot keep: NUL characters, halves of surrogate pairs, and numbers that it would have to write out at enormous length.</summary>
internal static partial class Storable
{
    private const int LongestNumber = 400;

    /// <summary>Whether something in the JSON text could be such a thing at all; most inputs need no closer look.</summary>
    public static bool NeedsALook(string json) => Suspicious().IsMatch(json);

    /// <param name="value">The value to look through.</param>
    /// <param name="at">Its JSON pointer.</param>
    /// <param name="zeros">Counts the digits that PostgreSQL adds to numbers with an exponent.</param>
    /// <returns>The first fault and where it is; null when all can be kept.</returns>
    public static (string At, string Wrong)? Fault(JsonElement value, string at, ref long zeros)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                return IsText(Text(value)) ? null : (at, "holds a NUL character or half of a surrogate pair, which cannot be stored");
            case JsonValueKind.Number:
                return IsNumber(value.GetRawText(), ref zeros) ? null : (at, $"is a number that cannot be stored: it has more than {LongestNumber} digits when it is written out");
            case JsonValueKind.Array:
                foreach (var (index, element) in value.EnumerateArray().Index())
                {
                    if (Fault(element, $"{at}/{index}", ref zeros) is { } found)
                    {
                        return found;
                    }
                }

                return null;
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    if (!IsText(member.Name))
                    {
                        return (at, "has a member whose name holds a NUL character, which cannot be stored");
                    }

                    if (Fault(member.Value, $"{at}/{Pointer.Escape(member.Name)}", ref zeros) is { } found)
                    {
                        return found;
                    }
                }

                return null;
            default:
                return null;
        }
    }

    /// <summary>The text of a JSON string; null where it is none, or holds half of a surrogate pair.</summary>
    public static string? Text(JsonElement given)
    {
        try
        {
            return given.ValueKind == JsonValueKind.String ? given.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsText(string? text) => text is not null && !text.Contains('\0', StringComparison.Ordinal);

    private static bool IsNumber(string raw, ref long zeros)
    {
        var mark = raw.AsSpan().IndexOfAny('e', 'E');
        if (mark < 0)
        {
            return raw.Length <= LongestNumber;
        }

        if (!int.TryParse(raw.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent) || Math.Abs((long)exponent) > LongestNumber || mark > LongestNumber)
        {
            return false;
        }

        zeros += Math.Abs(exponent);
        return true;
    }

    [GeneratedRegex(@"\\u|[0-9][eE][+-]?[0-9]|[0-9]{300}")]
    private static partial Regex Suspicious();
}
