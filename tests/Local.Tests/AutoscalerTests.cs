namespace QueueScale.Local.Tests;

/// <summary>How many workers there shall be, second by second.</summary>
public sealed class AutoscalerTests
{
    private readonly ManualClock clock = new();

    [Theory]
    [InlineData(0, 1)]
    [InlineData(8, 1)]
    [InlineData(8.7, 1)] // within the tolerance of a tenth
    [InlineData(9, 2)]
    [InlineData(33, 4)] // no more than there may be
    public void A_worker_comes_for_each_part_of_the_backlog_that_has_the_size_of_the_target(double backlog, int wanted) =>
        Assert.Equal(wanted, new Autoscaler(Scaled(), clock).Decide(1, backlog));

    [Fact]
    public void What_changes_nothing_by_a_tenth_changes_nothing()
    {
        var autoscaler = new Autoscaler(Scaled() with { MaxReplicas = 100, ScaleDown = Rules(0, new ScalingPolicy("Percent", 100, TimeSpan.FromSeconds(15))) }, clock);
        Assert.Equal(10, autoscaler.Decide(10, 87.9));
        Assert.Equal(10, autoscaler.Decide(10, 72.1));
        Assert.Equal(12, autoscaler.Decide(10, 89));
        Assert.Equal(9, autoscaler.Decide(10, 71));
    }

    [Fact]
    public void A_gap_in_the_backlog_that_is_shorter_than_the_window_costs_nobody()
    {
        var autoscaler = new Autoscaler(Scaled() with { ScaleDown = Rules(60, new ScalingPolicy("Percent", 100, TimeSpan.FromSeconds(15))) }, clock);
        Assert.Equal(4, autoscaler.Decide(1, 100));
        clock.Advance(30);
        Assert.Equal(4, autoscaler.Decide(4, 0));
        clock.Advance(30);
        Assert.Equal(4, autoscaler.Decide(4, 100));
        clock.Advance(59);
        Assert.Equal(4, autoscaler.Decide(4, 0));
        clock.Advance(1);
        Assert.Equal(1, autoscaler.Decide(4, 0));
    }

    [Fact]
    public void A_burst_that_is_shorter_than_the_window_starts_nobody()
    {
        var autoscaler = new Autoscaler(Scaled() with { ScaleUp = Rules(30, new ScalingPolicy("Pods", 4, TimeSpan.FromSeconds(15))) }, clock);
        Assert.Equal(1, autoscaler.Decide(1, 0));
        clock.Advance(15);
        Assert.Equal(1, autoscaler.Decide(1, 100));
        clock.Advance(10);
        Assert.Equal(1, autoscaler.Decide(1, 0));
        clock.Advance(15);
        Assert.Equal([1, 4, 4], Follow(autoscaler, 1, every: 15, 100, 100, 100)); // by the second of these the gap is half a minute ago
    }

    [Fact]
    public void No_more_come_and_go_within_a_time_than_the_policies_allow()
    {
        var autoscaler = new Autoscaler(
            Scaled() with
            {
                MaxReplicas = 100,
                ScaleUp = Rules(0, new ScalingPolicy("Pods", 2, TimeSpan.FromSeconds(30)), new ScalingPolicy("Percent", 100, TimeSpan.FromSeconds(30))),
                ScaleDown = Rules(0, new ScalingPolicy("Pods", 1, TimeSpan.FromSeconds(60))),
            }, clock);
        Assert.Equal([3, 3, 6, 6, 12], Follow(autoscaler, 1, every: 15, 800, 800, 800, 800, 800)); // two, then twice as many each half minute
        clock.Advance(61);
        Assert.Equal([11, 11, 11, 11, 10], Follow(autoscaler, 12, every: 15, 0, 0, 0, 0, 0));
    }

    [Fact]
    public void The_smaller_policy_counts_where_that_is_asked_for_and_none_where_a_direction_is_switched_off()
    {
        var pair = new[] { new ScalingPolicy("Pods", 1, TimeSpan.FromSeconds(30)), new ScalingPolicy("Percent", 300, TimeSpan.FromSeconds(30)) };
        Assert.Equal(2, new Autoscaler(Scaled() with { ScaleUp = Rules(0, pair) with { SelectPolicy = "Min" } }, clock).Decide(1, 100));
        Assert.Equal(4, new Autoscaler(Scaled() with { ScaleUp = Rules(0, pair) }, clock).Decide(1, 100));
        Assert.Equal(1, new Autoscaler(Scaled() with { ScaleUp = Rules(0, pair) with { SelectPolicy = "Disabled" } }, clock).Decide(1, 100));
    }

    [Fact]
    public void The_first_worker_comes_with_the_first_job_and_the_last_one_goes_after_the_cooldown()
    {
        var autoscaler = new Autoscaler(Scaled() with { MinReplicas = 0, CooldownPeriod = TimeSpan.FromSeconds(30), ScaleDown = Rules(0, new ScalingPolicy("Percent", 100, TimeSpan.FromSeconds(15))) }, clock);
        Assert.Equal([0, 1, 1, 1, 1, 0, 0], Follow(autoscaler, 0, every: 15, 0, 1, 1, 0, 0, 0, 0));
    }

    [Fact]
    public void Unknown_is_not_zero()
    {
        var autoscaler = new Autoscaler(Scaled() with { FailureThreshold = 3, FallbackReplicas = 3, ScaleDown = Rules(0, new ScalingPolicy("Percent", 100, TimeSpan.FromSeconds(15))) }, clock);
        Assert.Equal([2, 2, 2, 3, 3], Follow(autoscaler, 1, every: 15, 16, null, null, null, null));
        Assert.Equal(4, new Autoscaler(Scaled() with { FailureThreshold = 1, FallbackReplicas = 3 }, clock).Decide(4, null)); // only if that is more
        Assert.Equal(0, new Autoscaler(Scaled() with { FailureThreshold = 1, FallbackReplicas = 3, MinReplicas = 0 }, clock).Decide(0, null));
    }

    [Fact]
    public void The_ScaledObjects_of_k8s_are_read_whole()
    {
        var folder = Path.Combine(Checkout.Root, "k8s", "components", "autoscaling");
        var (usual, bulk) = (ScaledObject.Read(Path.Combine(folder, "worker-default.yaml")), ScaledObject.Read(Path.Combine(folder, "worker-bulk.yaml")));
        Assert.Equal(("default", "backlog", 32.0, 1, 6), (usual.Queue, usual.ValueLocation, usual.TargetValue, usual.MinReplicas, usual.MaxReplicas));
        Assert.Equal(("bulk", "backlog", 4.0, 0, 5), (bulk.Queue, bulk.ValueLocation, bulk.TargetValue, bulk.MinReplicas, bulk.MaxReplicas));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(5), 3), (usual.PollingInterval, bulk.PollingInterval, bulk.CooldownPeriod, usual.FailureThreshold));
        Assert.Equal((TimeSpan.FromSeconds(30), 2, TimeSpan.FromMinutes(5), 1), (usual.ScaleUp.StabilizationWindow, usual.ScaleUp.Policies.Count, usual.ScaleDown.StabilizationWindow, usual.ScaleDown.Policies.Count));
        Assert.Contains("no ScaledObject", Assert.Throws<LocalProblem>(() => ScaledObject.Read(Path.Combine(folder, "api.yaml"))).Message, StringComparison.Ordinal);
    }

    private IEnumerable<int> Follow(Autoscaler autoscaler, int replicas, int every, params double?[] metrics)
    {
        foreach (var metric in metrics)
        {
            yield return replicas = autoscaler.Decide(replicas, metric);
            clock.Advance(every);
        }
    }

    private static ScaledObject Scaled() => new()
    {
        Target = "worker",
        Queue = "default",
        ValueLocation = "backlog",
        TargetValue = 8,
        ActivationTargetValue = 0,
        MinReplicas = 1,
        MaxReplicas = 4,
        PollingInterval = TimeSpan.FromSeconds(15),
        CooldownPeriod = TimeSpan.FromMinutes(5),
        FailureThreshold = null,
        FallbackReplicas = 0,
        ScaleUp = ScalingRules.UpDefault,
        ScaleDown = ScalingRules.DownDefault,
    };

    private static ScalingRules Rules(int window, params ScalingPolicy[] policies) => new(TimeSpan.FromSeconds(window), "Max", policies);

    private sealed class ManualClock : TimeProvider
    {
        private long now = TimeSpan.TicksPerDay;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(int seconds) => now += seconds * TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => now;
    }
}
