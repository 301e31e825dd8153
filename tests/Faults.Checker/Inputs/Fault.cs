namespace QueueScale.Faults.Checker;

/// <summary>A fault that struck.</summary>
public sealed record Fault
{
    /// <summary>What is compared between runs, such as <c>kill worker</c>; recovery is measured for each kind.</summary>
    public required string Kind { get; init; }

    /// <summary>What it struck: a process, a server, a link.</summary>
    public required string Target { get; init; }

    /// <summary>When it struck, UTC.</summary>
    public required DateTime Begun { get; init; }

    /// <summary>When it was over. That of a kill is its beginning.</summary>
    public required DateTime Ended { get; init; }

    /// <summary>How many jobs were running or being submitted when it struck.</summary>
    public required int JobsHit { get; init; }
}
