using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace QueueScale.Api;

/// <summary>What a proxy says of a caller's address and scheme, believed only where the proxy is known.</summary>
internal static class TrustedProxies
{
    public static void UseTrustedProxies(this WebApplication app)
    {
        var trusted = app.Services.GetRequiredService<IOptions<ApiOptions>>().Value.TrustedProxies;
        if (trusted.Count == 0)
        {
            return;
        }

        // One step only: the nearest proxy's own word.
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in trusted)
        {
            options.KnownIPNetworks.Add(Parse(network)!.Value);
        }

        app.UseForwardedHeaders(options);
    }

    /// <summary>An address is the network of it alone.</summary>
    internal static System.Net.IPNetwork? Parse(string text) =>
        System.Net.IPNetwork.TryParse(text, out var network) ? network
        : IPAddress.TryParse(text, out var address) ? new System.Net.IPNetwork(address, address.GetAddressBytes().Length * 8)
        : null;
}

/// <summary>Each entry is an address or a network.</summary>
internal sealed class NetworksAttribute() : ValidationAttribute("Each entry is an address such as 10.0.0.7 or a network such as 10.0.0.0/8.")
{
    public override bool IsValid(object? value) => value is IEnumerable<string> entries && entries.All(entry => TrustedProxies.Parse(entry) is not null);
}
