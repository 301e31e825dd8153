namespace QueueScale.Faults.Checker;

/// <summary>Nobody who is well is taken for dead: a run is recorded as crashed only where a fault lasted, or shortly after one.</summary>
internal static class DeathsExplained
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        if (evidence.History.Options.DeathsWithin is not { } within)
        {
            yield break;
        }

        var faults = evidence.History.Faults;
        foreach (var trail in evidence.Trails)
        {
            foreach (var run in trail.Runs.Where(run => run.How == "crashed" && !faults.Any(fault => fault.Begun <= run.EndedAt && run.EndedAt <= fault.Ended + within)))
            {
                yield return new($"The worker of run {run.Epoch} was taken for dead at {run.EndedAt:HH:mm:ss}, and no fault was near.", trail);
            }
        }
    }
}
