namespace QueueScale.Faults;

/// <summary>The way that bytes go through a proxy, seen from the one who connects.</summary>
[Flags]
public enum Direction
{
    /// <summary>Requests: from the client to the target.</summary>
    ToTarget = 1,

    /// <summary>Answers: from the target to the client.</summary>
    ToClient = 2,

    /// <summary>Both.</summary>
    Both = ToTarget | ToClient,
}

/// <summary>What a <see cref="TcpProxy"/> does with its connections, the open ones and the new ones.</summary>
public abstract record ProxyMode
{
    /// <summary>Forwards everything.</summary>
    public sealed record Pass : ProxyMode;

    /// <summary>Forwards exactly so many bytes of each connection, counted from the switch, then cuts it with RST on both sides. A receiver that lags behind sees
    /// fewer: RST overtakes what it has no room for.</summary>
    /// <param name="Bytes">0 or more; with 0 the first byte is lost with the connection.</param>
    /// <param name="Counted">Whose bytes count. The other direction passes.</param>
    public sealed record ResetAfter(long Bytes, Direction Counted = Direction.Both) : ProxyMode;

    /// <summary>Requests reach the target; its answers, and its end of the connection, reach nobody.</summary>
    public sealed record SwallowResponses : ProxyMode;

    /// <summary>Each piece is held for a time between two bounds, drawn evenly; what comes meanwhile makes the next piece.</summary>
    /// <param name="Seed">The draws are the same for the same seed; which connection gets which is up to chance where there are several.</param>
    public sealed record Delay(TimeSpan Least, TimeSpan Most, int Seed = 0) : ProxyMode
    {
        private readonly Random _chance = new(Seed);

        /// <summary>The same time for each piece.</summary>
        public Delay(TimeSpan time) : this(time, time) { }

        internal TimeSpan Next()
        {
            lock (_chance) return Least + (Most - Least) * _chance.NextDouble();
        }
    }

    /// <summary>Each direction of each connection gets so many bytes a second.</summary>
    public sealed record Bandwidth(int BytesPerSecond) : ProxyMode;

    /// <summary>Reads no more (after one piece of up to 16 kB), so that the sender's buffers fill up. Connections are still made.</summary>
    public sealed record HalfOpen(Direction Stopped = Direction.Both) : ProxyMode;

    /// <summary>Cuts all connections with RST, each new one as soon as it is made: often before the client has noticed that it was.</summary>
    public sealed record Refuse : ProxyMode;
}
