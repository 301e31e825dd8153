using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>Time zones by their IANA names.</summary>
internal static partial class ZoneName
{
    public const string Utc = "UTC";

    /// <summary>What a name must be, for a refusal.</summary>
    public const string Rule = "must be UTC or the IANA name of a time zone that is known here, such as Europe/Berlin";

    /// <returns>Null where no such time zone is known.</returns>
    /// <remarks>.NET looks for a file of that name, so nothing but a name may get there; and what it has read once it also finds in another case, which another process may not.</remarks>
    public static TimeZoneInfo? Find(string name) => Form().IsMatch(name) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) && zone.Id == name ? zone : null;

    [GeneratedRegex(@"\A(?:UTC|[A-Z][A-Za-z_]*(?:/[A-Za-z0-9_+-]+){1,2})\z")]
    private static partial Regex Form();
}
