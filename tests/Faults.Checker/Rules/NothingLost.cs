namespace QueueScale.Faults.Checker;

/// <summary>C1: what was accepted is final in the end, nothing else is there, and nothing waits any more.</summary>
internal static class NothingLost
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        foreach (var trail in evidence.Lost)
        {
            yield return new(
                trail.Row is { } row ? $"The job was accepted and is still {row.State.Word()} after the drain." : "The job was accepted and is not in the database.", trail);
        }

        foreach (var trail in evidence.Unexpected)
        {
            yield return new(trail.Submission is null ? "No client submitted this job." : "The submission was refused, and yet the job is there.", trail);
        }

        var drained = evidence.History.AfterDrain;
        foreach (var trail in evidence.Trails.Where(trail => trail.Submission is not { Outcome: Phase.Ok }))
        {
            if (trail.Row is { } row && !trail.IsFinal && drained.At - row.CreatedAt > evidence.History.Options.DrainBound)
            {
                yield return new($"The job is still {row.State.Word()} {(drained.At - row.CreatedAt).TotalSeconds:0} s after it was created.", trail);
            }
            else if (trail.Row is null && trail.Moves.Count > 0)
            {
                yield return new("The job was in the database, and its row is gone.", trail);
            }
        }

        foreach (var queue in drained.Queues.Where(queue => !queue.HoldsRefused && (queue.Ready > 0 || queue.Unacked > 0)))
        {
            yield return new($"Queue {queue.Name} is not empty after the drain: {queue.Ready} ready, {queue.Unacked} unacknowledged.");
        }
    }
}
