using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C12: once the last fault is over, 99 % of the work that remains is done within the bound, and no process had to be
/// started again but those that a fault had ended.</summary>
internal static class WorkDrains
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        foreach (var start in evidence.History.AfterDrain.StartedByHand)
        {
            yield return new($"{start.Process} ended unasked at {start.At:HH:mm:ss}, with {start.How}, and had to be started again.");
        }

        if (evidence.History.Faults.Count == 0)
        {
            yield break;
        }

        var healed = evidence.History.Faults.Max(fault => fault.Ended);
        var bound = evidence.History.Options.LivenessBound;
        var remaining = evidence.Trails.Where(trail => trail.Row is { } row && row.CreatedAt <= healed && End(row) > healed).ToList();
        var late = remaining.Where(trail => End(trail.Row!) > healed + bound).ToList();
        if (late.Count * 100 > remaining.Count)
        {
            yield return new(
                $"When the last fault was over {remaining.Count} jobs remained, and {late.Count} of them were not done within {bound.TotalSeconds:0.0} s; this one was the last.",
                late.MaxBy(trail => End(trail.Row!)));
        }
    }

    private static DateTime End(JobRow row) => row.State.IsFinal() && row.FinishedAt is { } finished ? finished : DateTime.MaxValue;
}
