using System.Globalization;

namespace QueueScale.Jobs;

/// <summary>Which addresses may be asked at all, before any name is resolved.</summary>
internal static class OutboundUrl
{
    public const string Code = "url_refused";

    private const int Longest = 4_000;
    private const int HttpsPort = 443;

    /// <summary>Reads an address.</summary>
    /// <param name="text">As a person gave it.</param>
    /// <param name="allowedHosts">Those that may have another port, as <see cref="HostOf(string)"/> tells them.</param>
    /// <exception cref="OutboundRefused">It must not be asked.</exception>
    public static Uri Parse(string text, IReadOnlySet<string> allowedHosts)
    {
        if (text.Length > Longest) throw Refused($"The address has {text.Length:N0} characters. Give one of at most {Longest:N0}.");
        // Programs read these differently, and each reading would have to be checked.
        if (text.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\'))
        {
            throw Refused("The address holds a space, a control character or a backslash. Write it percent-encoded.");
        }

        if (!text.StartsWith("https://", StringComparison.Ordinal)) throw Refused("The address does not begin with https://. Give one that does; nothing else is fetched.");
        if (text.AsSpan("https://".Length) is not [not '/', ..] || !Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            throw Refused("The address is none. Give https://HOST/PATH.");
        }

        return Checked(url, allowedHosts);
    }

    /// <summary>Where an answer leads.</summary>
    /// <exception cref="OutboundRefused">It must not be asked.</exception>
    public static Uri Follow(Uri from, string location, IReadOnlySet<string> allowedHosts) =>
        Uri.TryCreate(from, location, out var url) ? Checked(url, allowedHosts) : throw Refused($"{Shown(from)} leads to an address that is none. Give the address of the file itself.");

    /// <summary>The host and port of an address, as sets of hosts hold them.</summary>
    public static string HostOf(Uri url) => string.Create(CultureInfo.InvariantCulture, $"{url.IdnHost}:{url.Port}");

    /// <summary>The same of HOST or HOST:PORT; null when it is neither.</summary>
    public static string? HostOf(string entry) =>
        entry.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '[' or ']') && Uri.TryCreate($"https://{entry}", UriKind.Absolute, out var url) && url.Host.Length > 0 && url.Port > 0 ? HostOf(url) : null;

    /// <summary>An address for messages: without its query, which may be a secret.</summary>
    public static string Shown(Uri url) => Excerpt.Of(url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped) + (url.Query.Length > 0 ? "?…" : ""));

    private static Uri Checked(Uri url, IReadOnlySet<string> allowedHosts)
    {
        if (url.UserInfo.Length > 0 || url.Authority.Contains('@', StringComparison.Ordinal))
        {
            throw Refused($"The address holds a name or a password before its host ({Excerpt.Of(url.IdnHost)}), and inputs are shown to whoever may read jobs. Give one without, such as a signed address that soon expires.");
        }

        if (url.Scheme != Uri.UriSchemeHttps) throw Refused($"{Shown(url)} is not https. Only that is fetched, also behind a redirect.");
        if (url.IdnHost.Length == 0) throw Refused("The address names no host. Give https://HOST/PATH.");
        if (url.Port != HttpsPort && !allowedHosts.Contains(HostOf(url)))
        {
            throw Refused($"{Shown(url)} has the port {url.Port}, and only 443 is asked. Use that, or set Jobs:Outbound:AllowedHosts to {HostOf(url)} on the workers.");
        }

        return url;
    }

    private static OutboundRefused Refused(string why) => new(why, Code);
}
