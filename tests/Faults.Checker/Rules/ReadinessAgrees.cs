namespace QueueScale.Faults.Checker;

/// <summary>C10: what a worker says of its readiness agrees with the depth that it shows in the same answer, and with the HTTP status.</summary>
internal static class ReadinessAgrees
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        var limit = evidence.History.Options.MaxDrainTime.TotalSeconds;
        return evidence.History.Depth
            .Where(sample => sample.Readiness is not null)
            .Select(sample => (sample.Who, sample.Shown.From, Wrong: Wrong(sample.Readiness!, sample.Shown.Queues is not null, limit)))
            .Where(found => found.Wrong is not null)
            .GroupBy(found => (found.Who, found.Wrong))
            .Select(found => new Break($"{found.Key.Who} {found.Key.Wrong}, {found.Count()} times, first at {found.Min(one => one.From):HH:mm:ss.f}."));
    }

    private static string? Wrong(ReadinessShown shown, bool showsDepth, double limit) => shown switch
    {
        _ when (shown.Code == 200) != shown.Status is "ready" or "backlogged" => $"was {shown.Status} and answered {shown.Code}",
        _ when shown.KnowsDepth != showsDepth => shown.KnowsDepth ? "knew the depth and did not show it" : "did not know the depth and showed one",
        { Status: "ready" } when shown.LongestDrainSeconds > limit => "was ready with a drain time over its limit",
        { Status: "backlogged" } when !(shown.LongestDrainSeconds > limit) => "was backlogged without a drain time over its limit",
        _ => null,
    };
}
