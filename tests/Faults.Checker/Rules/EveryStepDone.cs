using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C5: a job that succeeded did every step; a step is repeated only by a later run, and no run has to repeat more than the bound.</summary>
internal static class EveryStepDone
{
    public static IEnumerable<Break> Check(Evidence evidence) =>
        evidence.Trails.SelectMany(trail => Missing(trail).Concat(Repeated(trail, evidence.History.Options.StepBound)));

    private static IEnumerable<Break> Missing(JobTrail trail)
    {
        if (trail is not { Row.State: JobState.Succeeded, Steps: { } steps })
        {
            yield break;
        }

        var done = trail.LedgerRuns.SelectMany(run => run.Steps).ToHashSet();
        if (Enumerable.Range(1, steps).Where(step => !done.Contains(step)).ToArray() is { Length: > 0 } missing)
        {
            yield return new($"The job succeeded, but of its {steps} steps these never happened: {Some(missing)}.", trail);
        }

        if (done.Where(step => step < 1 || step > steps).ToArray() is { Length: > 0 } foreign)
        {
            yield return new($"The job has {steps} steps, but did these too: {Some(foreign)}.", trail);
        }

        if (!trail.LedgerRuns.Any(run => run.Ended))
        {
            yield return new("The job succeeded, but no run came to its end.", trail);
        }
    }

    private static IEnumerable<Break> Repeated(JobTrail trail, int bound)
    {
        var earlier = new HashSet<int>();
        foreach (var run in trail.LedgerRuns)
        {
            var own = new HashSet<int>();
            if (run.Steps.Where(step => !own.Add(step)).Distinct().ToArray() is { Length: > 0 } twice)
            {
                yield return new($"Run {run.Epoch} did these steps more than once: {Some(twice)}.", trail);
            }

            // Counted from where the run began, so that it does not matter how far it came.
            if (run.ResumedFrom is { } from && earlier.Where(step => step > from).ToArray() is var again && again.Length > bound)
            {
                yield return new($"Run {run.Epoch} was resumed from step {from}, although these later steps had been done: {Some(again)}. At most {bound} may be lost.", trail);
            }

            earlier.UnionWith(own);
        }
    }

    private static string Some(int[] steps) => string.Join(", ", steps.Order().Take(10)) + (steps.Length > 10 ? $" and {steps.Length - 10} more" : "");
}
