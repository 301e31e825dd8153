using System.Net;
using System.Net.Sockets;

namespace QueueScale.Jobs;

/// <summary>Which addresses belong to the public internet, and not to the machine or the network that a worker runs in.</summary>
/// <remarks>Source: IANA's registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890).</remarks>
internal static class PublicAddress
{
    private static readonly (IPNetwork Network, string What)[] Special =
    [
        .. Named("this network", "0.0.0.0/8"),
        .. Named("private", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
        .. Named("shared (CGNAT)", "100.64.0.0/10"),
        .. Named("loopback", "127.0.0.0/8", "::1/128"),
        .. Named("link-local", "169.254.0.0/16", "fe80::/10"),
        .. Named("for protocols", "192.0.0.0/24", "192.88.99.0/24", "100::/64", "2001::/23"),
        .. Named("for documentation", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
        .. Named("for benchmarks", "198.18.0.0/15"),
        .. Named("multicast", "224.0.0.0/4", "ff00::/8"),
        .. Named("reserved", "240.0.0.0/4"),
        .. Named("the platform's own", "168.63.129.16/32"), // Azure's, on each of its machines
        .. Named("unspecified", "::/128"),
        .. Named("an IPv4 address in an old form", "::/96"),
        .. Named("private NAT64", "64:ff9b:1::/48"),
        .. Named("6to4", "2002::/16"),
    ];

    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");
    private static readonly IPNetwork Global = IPNetwork.Parse("2000::/3");

    /// <summary>Why an address is not public; null when it is.</summary>
    public static string? WhyNot(IPAddress address)
    {
        var real = Real(address);
        foreach (var (network, what) in Special)
        {
            if (network.Contains(real)) return $"{what}, {network}";
        }

        return real.AddressFamily == AddressFamily.InterNetworkV6 && !Global.Contains(real) ? "not public" : null;
    }

    /// <summary>What is reached by the address: the IPv4 address that an IPv6 one carries, where it carries one.</summary>
    private static IPAddress Real(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address;
        var bytes = address.GetAddressBytes();
        return Nat64.Contains(address) ? new IPAddress(bytes.AsSpan(12)) : new IPAddress(bytes); // without its zone
    }

    private static IEnumerable<(IPNetwork Network, string What)> Named(string what, params string[] networks) => networks.Select(network => (IPNetwork.Parse(network), what));
}
