using System.Net;
using Microsoft.AspNetCore.Http;

namespace QueueScale.Hosting;

/// <summary>Where a process of this machine can be called.</summary>
public static class OwnAddress
{
    /// <summary>The first of the addresses that a web server listens on, as ASP.NET Core writes them, that can be called without TLS from here; null when there is none.</summary>
    public static Uri? Of(IEnumerable<string> addresses) =>
        addresses.Select(BindingAddress.Parse).FirstOrDefault(binding => binding is { Scheme: "http", IsUnixPipe: false, IsNamedPipe: false }) is { } own
            ? new UriBuilder("http", IPAddress.TryParse(own.Host.Trim('[', ']'), out var ip) && !ip.Equals(IPAddress.Any) && !ip.Equals(IPAddress.IPv6Any) ? ip.ToString() : "localhost", own.Port, own.PathBase).Uri
            : null;
}
