namespace QueueScale.Tests;

public sealed class RetryDelayTests
{
    private static readonly TimeSpan Base = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(5, 16)]
    [InlineData(10, 512)]
    [InlineData(11, 600)]
    [InlineData(int.MaxValue, 600)]
    public void The_upper_end_doubles_with_each_failed_attempt_up_to_the_longest(int failed, double seconds)
    {
        Assert.Equal(TimeSpan.FromSeconds(seconds), RetryDelay.Next(failed, Base, Longest, chance: 1));
        Assert.Equal(TimeSpan.FromSeconds(seconds / 2), RetryDelay.Next(failed, Base, Longest, chance: 0.5));
        Assert.Equal(TimeSpan.Zero, RetryDelay.Next(failed, Base, Longest, chance: 0));
    }
}
