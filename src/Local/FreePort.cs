using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace QueueScale.Local;

/// <summary>Chooses ports below the range that the kernel gives to outgoing connections, so that none of those can take a remembered port.</summary>
internal static class FreePort
{
    private const int Lowest = 20_000;
    private const int Highest = 31_999;

    public static int Choose(IEnumerable<int> except)
    {
        var taken = except.ToHashSet();
        var highest = Math.Max(Lowest + 1_000, Math.Min(Highest, FirstOutgoingPort() - 1));
        for (var tries = 0; tries < 1_000; tries++)
        {
            var port = Random.Shared.Next(Lowest, highest + 1);
            if (!taken.Contains(port) && IsFree(port)) return port;
        }
        throw new LocalProblem($"No free port between {Lowest} and {highest} on 127.0.0.1. End some of the programs that listen there (`ss -ltnp` lists them).");
    }

    public static bool IsFree(int port) =>
        CanListen(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanListen(IPAddress.IPv6Loopback, port));

    private static bool CanListen(IPAddress address, int port)
    {
        using var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode == SocketError.AddressNotAvailable; // no ::1 here, so nobody can listen on it
        }
    }

    private static int FirstOutgoingPort()
    {
        try
        {
            return int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[0],
                CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return Highest + 1;
        }
    }
}
