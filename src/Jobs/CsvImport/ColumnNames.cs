using System.Text;
using System.Text.RegularExpressions;

namespace QueueScale.Jobs;

/// <summary>Which names tables and columns may have, and how a header becomes such names.</summary>
internal static partial class ColumnNames
{
    public const string Pattern = "^[a-z_][a-z0-9_]{0,62}$";
    public const string ColumnPattern = "^(?!(?:tableoid|ctid|xmin|xmax|cmin|cmax)$)[a-z_][a-z0-9_]{0,62}$";
    public const string Rule = "1 to 63 of a-z, 0-9 and _, not beginning with a digit";

    private const int Longest = 63;

    // PostgreSQL gives every table columns of these names.
    private static readonly HashSet<string> Taken = ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

    public static bool IsSafe(string name) => Safe().IsMatch(name);

    public static bool IsSafeColumn(string name) => IsSafe(name) && !Taken.Contains(name);

    /// <summary>The columns' names for the fields of a header.</summary>
    /// <remarks>A name that is safe already stays as it is. Otherwise letters become lower case, each run of anything but a-z and 0-9 becomes one
    /// <c>_</c>, those at the ends go, a leading digit gets a <c>_</c> before it, and what is left empty becomes <c>c</c> and its number. Names are cut at
    /// 63. One that was there before, or that PostgreSQL has for itself, gets <c>_2</c>, <c>_3</c> and so on.</remarks>
    public static IReadOnlyList<string> FromHeader(IReadOnlyList<string> header)
    {
        var used = new HashSet<string>(Taken);
        var names = new string[header.Count];
        for (var i = 0; i < names.Length; i++)
        {
            var name = Normalised(header[i], i + 1);
            var unique = name;
            for (var n = 2; !used.Add(unique); n++)
            {
                var ending = $"_{n}";
                unique = string.Concat(name.AsSpan(0, Math.Min(name.Length, Longest - ending.Length)), ending);
            }

            names[i] = unique;
        }

        return names;
    }

    private static string Normalised(string name, int number)
    {
        if (IsSafe(name)) return name;
        var text = new StringBuilder();
        foreach (var c in name)
        {
            if (char.IsAsciiLetterOrDigit(c)) text.Append(char.ToLowerInvariant(c));
            else if (text.Length > 0 && text[^1] != '_') text.Append('_');
        }

        if (text.Length > 0 && text[^1] == '_') text.Length--;
        if (text.Length == 0) return $"c{number}";
        if (char.IsAsciiDigit(text[0])) text.Insert(0, '_');
        return text.ToString(0, Math.Min(text.Length, Longest));
    }

    // \z: `$` would let a line break at the end pass.
    [GeneratedRegex(@"\A[a-z_][a-z0-9_]{0,62}\z")]
    private static partial Regex Safe();
}
