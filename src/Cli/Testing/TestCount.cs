namespace QueueScale.Cli.Testing;

/// <summary>How many tests ended how.</summary>
internal readonly record struct TestCount(int Passed, IReadOnlyList<TestFailure> Failures, int Skipped)
{
    public static TestCount None { get; } = new(0, [], 0);

    public int Failed => Failures.Count;

    public int All => Passed + Failed + Skipped;

    public static TestCount operator +(TestCount one, TestCount other) => new(one.Passed + other.Passed, [.. one.Failures, .. other.Failures], one.Skipped + other.Skipped);
}
