namespace QueueScale.Local;

/// <summary>Decides how many workers there shall be, as KEDA and Kubernetes would. No more than the arithmetic: it starts and stops nobody.</summary>
/// <remarks>Source: "Horizontal Pod Autoscaling", the Kubernetes documentation (algorithm details, configurable scaling behavior); from and to zero: KEDA's documentation of ScaledObjects.</remarks>
public sealed class Autoscaler(ScaledObject scaled, TimeProvider clock)
{
    /// <summary>A metric this close to the target changes nothing.</summary>
    private const double Tolerance = 0.1;

    /// <summary>Kubernetes looks this often, whatever KEDA's own interval is.</summary>
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(15);

    private readonly List<(long At, int Replicas)> recommendations = [];
    private readonly List<(long At, int Change)> events = [];
    private long? idleSince;
    private int failures;

    /// <summary>How often it is to be asked.</summary>
    public TimeSpan Interval { get; } = scaled.PollingInterval < LongestInterval ? scaled.PollingInterval : LongestInterval;

    /// <summary>Decides once; to be called each time that the metric was asked for, and followed.</summary>
    /// <param name="current">How many workers there are meant to be now.</param>
    /// <param name="metric">What the trigger's value is; null where it could not be had.</param>
    /// <returns>How many there shall be.</returns>
    public int Decide(int current, double? metric)
    {
        var now = clock.GetTimestamp();
        var wanted = ForMetric(now, current, metric);
        if (wanted != current)
        {
            events.Add((now, wanted - current));
        }

        return wanted;
    }

    private int ForMetric(long now, int current, double? metric)
    {
        if (metric is not { } value)
        {
            failures++;
            idleSince = null;
            // currentReplicasIfHigher: unknown is not zero, so nobody goes.
            return current > 0 && scaled.FailureThreshold <= failures ? Math.Clamp(scaled.FallbackReplicas, current, Math.Max(current, scaled.MaxReplicas)) : current;
        }

        failures = 0;
        if (current == 0)
        {
            return value > scaled.ActivationTargetValue ? Math.Max(1, scaled.MinReplicas) : scaled.MinReplicas;
        }

        idleSince = value > scaled.ActivationTargetValue ? null : idleSince ?? now;
        if (scaled.MinReplicas == 0 && idleSince is { } since && clock.GetElapsedTime(since, now) >= scaled.CooldownPeriod)
        {
            recommendations.Clear();
            return 0;
        }

        return Limited(now, current, Stabilized(now, current, Recommended(current, value)));
    }

    /// <summary>The metric alone.</summary>
    private int Recommended(int current, double value)
    {
        var replicas = Math.Abs(1 - (value / (scaled.TargetValue * current))) <= Tolerance ? current : (int)Math.Ceiling(value / scaled.TargetValue);
        return Math.Clamp(replicas, Math.Max(1, scaled.MinReplicas), scaled.MaxReplicas);
    }

    /// <summary>Upwards the least that was wanted in the window for that, downwards the most.</summary>
    private int Stabilized(long now, int current, int recommended)
    {
        recommendations.RemoveAll(one => clock.GetElapsedTime(one.At, now) >= Max(scaled.ScaleUp.StabilizationWindow, scaled.ScaleDown.StabilizationWindow));
        var up = Within(scaled.ScaleUp).Append(recommended).Min();
        var down = Within(scaled.ScaleDown).Append(recommended).Max();
        recommendations.Add((now, recommended));
        return up > current ? up : down < current ? down : current;

        IEnumerable<int> Within(ScalingRules rules) => recommendations.Where(one => clock.GetElapsedTime(one.At, now) < rules.StabilizationWindow).Select(one => one.Replicas);
    }

    /// <summary>No faster than the policies allow.</summary>
    private int Limited(long now, int current, int wanted)
    {
        events.RemoveAll(one => clock.GetElapsedTime(one.At, now) >= Max(Longest(scaled.ScaleUp), Longest(scaled.ScaleDown)));
        if (wanted > current)
        {
            var limits = scaled.ScaleUp.Policies.Select(policy => policy.Type == "Pods" ? Begun(policy) + policy.Value : (int)Math.Ceiling(Begun(policy) * (1 + (policy.Value / 100.0))));
            return scaled.ScaleUp.SelectPolicy == "Disabled" ? current : Math.Max(current, Math.Min(wanted, scaled.ScaleUp.SelectPolicy == "Min" ? limits.Min() : limits.Max()));
        }

        if (wanted < current)
        {
            var limits = scaled.ScaleDown.Policies.Select(policy => policy.Type == "Pods" ? Begun(policy) - policy.Value : (int)Math.Floor(Begun(policy) * (1 - (policy.Value / 100.0))));
            return scaled.ScaleDown.SelectPolicy == "Disabled" ? current : Math.Min(current, Math.Max(wanted, scaled.ScaleDown.SelectPolicy == "Min" ? limits.Max() : limits.Min()));
        }

        return current;

        // How many there were when the policy's time began.
        int Begun(ScalingPolicy policy) => current - events.Where(one => clock.GetElapsedTime(one.At, now) < policy.Period).Sum(one => one.Change);

        static TimeSpan Longest(ScalingRules rules) => rules.Policies.Select(policy => policy.Period).DefaultIfEmpty().Max();
    }

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
