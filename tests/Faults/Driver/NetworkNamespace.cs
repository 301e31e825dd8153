using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace QueueScale.Faults;

/// <summary>A network of its own for some processes, joined to this machine by one wire that can be blocked: packets then vanish, nobody is told.</summary>
/// <remarks>Our servers listen on 127.0.0.1, which is another one in there. What a process inside shall reach needs a <see cref="TcpProxy"/> that listens
/// on <see cref="HostAddress"/>.</remarks>
public sealed class NetworkNamespace : IAsyncDisposable
{
    private const string What = "A network namespace";
    private const string Folder = "/run/netns"; // where `ip netns` keeps them
    private const string Wire = "eth0"; // our end inside

    private readonly string _name;

    private NetworkNamespace(string name, IPAddress host, IPAddress inside) => (_name, HostAddress, InsideAddress) = (name, host, inside);

    /// <summary>This machine, seen from inside.</summary>
    public IPAddress HostAddress { get; }

    /// <summary>The inside, seen from this machine.</summary>
    public IPAddress InsideAddress { get; }

    /// <summary>What goes before a command line to run it inside.</summary>
    /// <remarks>Not <c>ip netns exec</c>: that one also mounts a new /sys, which hides the process's cgroup from .NET, and keeps a copy of every mount busy.</remarks>
    public IReadOnlyList<string> Prefix => ["nsenter", $"--net={Path.Combine(Folder, _name)}", "--"];

    /// <summary>For an API or a worker inside.</summary>
    public HostPlace Place => new(InsideAddress.ToString(), Prefix);

    /// <summary>Makes one.</summary>
    /// <exception cref="MissingPrivilege">We may not.</exception>
    public static async Task<NetworkNamespace> CreateAsync(CancellationToken cancellation = default)
    {
        MissingPrivilege.Demand(What);
        foreach (var left in Directory.Exists(Folder) ? Directory.GetFiles(Folder).Select(file => Path.GetFileName(file)).Where(OwnName.IsLeft) : [])
        {
            await DeleteAsync(left);
        }

        var network = FreeNetwork();
        var made = new NetworkNamespace(OwnName.Next(), AddressOf(network, 1), AddressOf(network, 2));
        try
        {
            await made.BuildAsync(cancellation);
        }
        catch
        {
            await DeleteAsync(made._name);
            throw;
        }
        return made;
    }

    /// <summary>Drops every packet from the inside, to the inside, or both. In addition to what is blocked already.</summary>
    /// <param name="outgoing">Those from the inside.</param>
    /// <param name="incoming">Those to the inside.</param>
    /// <param name="port">Only what is said with this port of <see cref="HostAddress"/>, such as a proxy's.</param>
    public async Task BlockAsync(bool outgoing = true, bool incoming = true, int? port = null)
    {
        if (outgoing) await IpTablesAsync(["--append", "OUTPUT", "--out-interface", Wire, .. Only("--destination-port"), "--jump", "DROP"]);
        if (incoming) await IpTablesAsync(["--append", "INPUT", "--in-interface", Wire, .. Only("--source-port"), "--jump", "DROP"]);

        string[] Only(string end) => port is null ? [] : ["--protocol", "tcp", end, $"{port}"];
    }

    /// <summary>Lets everything through again.</summary>
    public Task LiftAsync() => IpTablesAsync(["--flush"]);

    /// <summary>Removes it. Processes that still run inside have no network any more.</summary>
    public async ValueTask DisposeAsync() => await DeleteAsync(_name);

    private async Task BuildAsync(CancellationToken cancellation)
    {
        // In one step with its place inside: a crash leaves no end of it behind.
        var outside = WireOf(_name);
        await IpAsync(["netns", "add", _name], cancellation);
        await IpAsync(["link", "add", outside, "type", "veth", "peer", "name", Wire, "netns", _name], cancellation);
        await IpAsync(["address", "add", $"{HostAddress}/30", "dev", outside], cancellation);
        await IpAsync(["link", "set", outside, "up"], cancellation);
        await IpAsync(["-netns", _name, "address", "add", $"{InsideAddress}/30", "dev", Wire], cancellation);
        await IpAsync(["-netns", _name, "link", "set", "lo", "up"], cancellation);
        await IpAsync(["-netns", _name, "link", "set", Wire, "up"], cancellation);
    }

    // The wire goes first: a process inside would keep the namespace, and the wire with it.
    private static async Task DeleteAsync(string name)
    {
        if (Directory.Exists($"/sys/class/net/{WireOf(name)}")) await IpAsync(["link", "delete", WireOf(name)]);
        if (File.Exists(Path.Combine(Folder, name))) await IpAsync(["netns", "delete", name]);
    }

    private Task IpTablesAsync(string[] arguments) => MissingPrivilege.RunAsync("Blocking a network", [.. Prefix, FaultPrograms.IpTables, "--wait", .. arguments]);

    private static Task IpAsync(string[] arguments, CancellationToken cancellation = default) =>
        MissingPrivilege.RunAsync(What, [FaultPrograms.Ip, .. arguments], cancellation);

    // At most 15 letters: qs, the owner's pid, the number of the name.
    private static string WireOf(string name) => name[OwnName.Prefix.Length..].Split('-') is [var pid, _, var number] ? $"qs{pid}x{number}" : throw new ArgumentException(name);

    // 198.18.0.0/15 is set aside for measurements between networks (RFC 2544); taken in fours, the last two bits count the addresses.
    private static uint FreeNetwork()
    {
        var taken = NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(one => one.GetIPProperties().UnicastAddresses)
            .Where(one => one.Address.AddressFamily == AddressFamily.InterNetwork)
            .Select(one => BitConverter.ToUInt32([.. one.Address.GetAddressBytes().Reverse()]) & ~3u)
            .ToHashSet();
        while (true)
        {
            var network = (198u << 24 | 18u << 16) + ((uint)Random.Shared.Next(1 << 15) << 2);
            if (!taken.Contains(network)) return network;
        }
    }

    private static IPAddress AddressOf(uint network, uint number) => new([.. BitConverter.GetBytes(network + number).Reverse()]);
}
