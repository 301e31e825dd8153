namespace QueueScale.Faults;

/// <summary>What a measurement came to.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">The figure.</param>
/// <param name="Wanted">What is promised.</param>
/// <param name="Met">Whether it was kept.</param>
internal sealed record Measured(string Name, string Value, string Wanted, bool Met);

/// <summary>One fault with a figure to it, on emptied ground. Nothing else happens meanwhile.</summary>
internal sealed record Measurement(string Name, Func<Aim, Task<IReadOnlyList<Measured>>> RunAsync)
{
    /// <summary>What an API must have watched before it takes anybody for dead.</summary>
    public static readonly TimeSpan Watched = TimeSpan.FromSeconds(11);

    public static readonly (string, string?) UsualLease = ("Worker__Lease", "00:00:10");

    public static IReadOnlyList<Measurement> All { get; } =
    [
        new("handover", HandOvers.DrainedOrKilledAsync),
        new("cut-off", HandOvers.CutOffAsync),
        new("postgres-restart", HandOvers.PostgresRestartAsync),
        new("frozen", HandOvers.FrozenAsync),
        new("broker-away", BrokerOutages.AwayAsync),
        new("broker-frozen", BrokerOutages.FrozenAsync),
        new("broker-wiped", BrokerOutages.WipedAsync),
        new("postgres-away", PostgresOutages.AwayAsync),
        new("disk-full", PostgresOutages.DiskFullAsync),
        new("neighbours", Neighbours.OfBadHandlersAsync),
        new("memory", Neighbours.OfAGluttonAsync),
        new("kill-rounds", Neighbours.UnderKillRoundsAsync),
        new("malformed-http", MalformedInput.RequestsAsync),
        new("malformed-messages", MalformedInput.MessagesAsync),
        new("overload", Overload.OfSubmissionsAsync),
        new("million", Backlog.OfAMillionAsync),
        new("due-together", Backlog.DueTogetherAsync),
    ];

    /// <summary>The 99th percentile of what accepted submissions took, in seconds.</summary>
    public static double P99(IEnumerable<(DateTime At, double Seconds)> accepted)
    {
        var sorted = accepted.Select(a => a.Seconds).Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)Math.Ceiling(0.99 * sorted.Length) - 1];
    }
}
