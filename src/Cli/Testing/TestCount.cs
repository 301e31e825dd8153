namespace QueueScale.Cli.Testing;

/// <summary>How many tests ended how.</summary>
internal readonly record struct TestCount(int Passed, int Failed, int Skipped)
{
    public int All => Passed + Failed + Skipped;

    public static TestCount operator +(TestCount one, TestCount other) => new(one.Passed + other.Passed, one.Failed + other.Failed, one.Skipped + other.Skipped);
}
