namespace QueueScale.Tests;

public sealed class JobTypeTests
{
    [Theory]
    [InlineData(typeof(Forever))]
    [InlineData(typeof(Never))]
    public void A_timeout_that_no_submission_could_ask_for_is_refused(Type handler) =>
        Assert.Contains("Timeout", Assert.Throws<ArgumentException>(() => JobType.Of(handler)).Message, StringComparison.Ordinal);

    [JobType("test.forever", Timeout = "60.00:00:00")]
    private sealed class Forever : Nothing;

    [JobType("test.never", Timeout = "00:00:00")]
    private sealed class Never : Nothing;

    private abstract class Nothing : IJob<int, int>
    {
        public Task<int> RunAsync(int input, JobRun run, CancellationToken stop) => Task.FromResult(input);
    }
}
