namespace QueueScale.Local;

/// <summary>Where on this machine a host process runs, for tests that put it behind a wall.</summary>
/// <param name="Address">The address it listens on.</param>
/// <param name="Prefix">What goes before its command line, and in the end becomes it.</param>
public sealed record HostPlace(string Address, params IReadOnlyList<string> Prefix)
{
    /// <summary>On 127.0.0.1, with nothing around it.</summary>
    public static HostPlace Here { get; } = new("127.0.0.1");
}
