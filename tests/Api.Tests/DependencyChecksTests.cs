using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>The rules of asking dependencies for their health.</summary>
public sealed class DependencyChecksTests
{
    private readonly StoppedClock clock = new();

    [Fact]
    public async Task All_are_asked_at_once_and_each_says_how_long_it_took()
    {
        var both = new Barrier(2);
        var checks = new DependencyChecks(clock, Check("a", () => Meet()), Check("b", () => Meet()));
        var answers = await checks.AskAsync();
        Assert.Equal(["a", "b"], answers.Keys.Order(StringComparer.Ordinal));
        Assert.All(answers.Values, answer => Assert.Equal((true, "ok", null), (answer.IsOk, answer.Status, answer.Reason)));

        Task Meet()
        {
            Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(10))); // alone nobody would come through
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Who_does_not_answer_has_failed_when_the_time_is_over_and_the_others_are_not_held_up()
    {
        var checks = new DependencyChecks(TimeProvider.System, Check("deaf", () => new TaskCompletionSource().Task), Check("good", () => Task.CompletedTask), Check("bad", () => throw new IOException("broken")));
        var answers = await checks.AskAsync().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.Equal(("failed", "no answer for 1.0 s"), (answers["deaf"].Status, answers["deaf"].Reason));
        Assert.InRange(answers["deaf"].Seconds, 0.99, 5);
        Assert.True(answers["good"].IsOk);
        Assert.InRange(answers["good"].Seconds, 0, 0.9);
        Assert.Equal(("failed", "broken"), (answers["bad"].Status, answers["bad"].Reason));
    }

    [Fact]
    public async Task Answers_are_good_for_a_second_and_callers_at_the_same_time_share_one_question()
    {
        var asked = 0;
        var answer = new TaskCompletionSource();
        var checks = new DependencyChecks(clock, Check("a", () =>
        {
            Interlocked.Increment(ref asked);
            return answer.Task;
        }));
        var callers = Enumerable.Range(0, 50).Select(_ => checks.AskAsync()).ToArray();
        answer.SetResult();
        await Task.WhenAll(callers);
        await checks.AskAsync();
        Assert.Equal(1, asked);

        clock.Now += TimeSpan.FromMilliseconds(999);
        await checks.AskAsync();
        Assert.Equal(1, asked);

        clock.Now += TimeSpan.FromMilliseconds(1);
        await checks.AskAsync();
        Assert.Equal(2, asked);
    }

    [Fact]
    public async Task Who_owes_an_answer_is_not_asked_again_before_it_has_come()
    {
        var asked = 0;
        var answer = new TaskCompletionSource();
        var checks = new DependencyChecks(clock, Check("deaf", () =>
        {
            Interlocked.Increment(ref asked);
            return answer.Task;
        }));
        for (var second = 0; second < 3; second++)
        {
            Assert.False((await checks.AskAsync().WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken))["deaf"].IsOk);
            clock.Now += DependencyChecks.GoodFor;
        }

        Assert.Equal(1, asked);
        answer.SetResult();
        Assert.True((await checks.AskAsync())["deaf"].IsOk);
        Assert.Equal(2, asked);
    }

    private static DependencyCheck Check(string name, Func<Task> ask) => new(name, ask);

    /// <summary>Stands until it is set; its timers are the system's.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromDays(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
