namespace QueueScale.Faults.Checker;

/// <summary>P5: a run that a fault cuts goes on elsewhere within the bound for that kind of fault.</summary>
internal static class HandOversBounded
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        var bounds = evidence.History.Options.HandOverBounds;
        foreach (var kind in Recovery.Of(evidence).Where(recovery => recovery.Trail is not null).GroupBy(recovery => recovery.Fault.Kind))
        {
            if (bounds.TryGetValue(kind.Key, out var bound)
                && kind.OrderBy(recovery => recovery.Took).ToList() is var sorted
                && RecoveryTimes.Percentile(sorted, 0.99).Took > bound)
            {
                yield return new(
                    $"After {kind.Key} 1 % of {sorted.Count} cut runs took more than {bound.TotalSeconds:0.0} s to go on; this one took {sorted[^1].Took.TotalSeconds:0.000} s.",
                    sorted[^1].Trail);
            }
        }
    }
}
