using System.Text;

namespace QueueScale.Jobs;

/// <summary>The beginning of a text of unknown length and origin, fit for a message and for storing as JSON in PostgreSQL, which takes no NUL.</summary>
internal static class Excerpt
{
    private const int Longest = 100;

    public static string Of(ReadOnlySpan<byte> utf8) => Of(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, 4 * (Longest + 1))]));

    public static string Of(string text)
    {
        var excerpt = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (excerpt.Length >= Longest) return excerpt.Append("...").ToString();
            excerpt.Append(Rune.IsControl(rune) ? '\ufffd' : rune); // also line breaks: a message is one line
        }

        return excerpt.ToString();
    }
}
