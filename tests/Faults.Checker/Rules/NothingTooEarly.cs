using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C7: no run starts before its time, and a cancel that was answered with yes is final.</summary>
internal static class NothingTooEarly
{
    public static IEnumerable<Break> Check(Evidence evidence) =>
        evidence.Trails.SelectMany(trail => Claims(trail).Concat(Cancels(trail, evidence.History.Options.CancelGrace)));

    private static IEnumerable<Break> Claims(JobTrail trail)
    {
        foreach (var claim in trail.Moves.Where(move => move.IsClaim))
        {
            if (claim.RunAt > claim.At)
            {
                yield return new($"Run {claim.Epoch} was claimed {(claim.RunAt.Value - claim.At).TotalSeconds:0.000} s before its time.", trail);
            }

            if (claim.CancelRequested)
            {
                yield return new($"Run {claim.Epoch} was claimed although the job was to be cancelled.", trail);
            }
        }
    }

    private static IEnumerable<Break> Cancels(JobTrail trail, TimeSpan grace)
    {
        if (trail.Calls.Find(call => call is { Operation: Operation.Cancel, Outcome: Phase.Ok }) is not { End.At: var acked }
            || trail.Calls.Exists(call => call.Operation == Operation.Retry))
        {
            yield break;
        }

        if (trail.IsFinal && trail.Row!.State != JobState.Cancelled)
        {
            yield return new($"The cancel was accepted, and yet the job ended as {trail.Row.State.Word()}.", trail);
        }

        if (trail.Moves.Find(move => move.IsClaim && move.At > acked + grace) is { } claim)
        {
            yield return new($"Run {claim.Epoch} was claimed {(claim.At - acked).TotalSeconds:0.000} s after the cancel was accepted.", trail);
        }

        foreach (var begin in trail.Ledger.Where(line => line.Mark == LedgerMark.Begin && line.At > acked + grace))
        {
            yield return new($"Run {begin.Epoch} began {(begin.At - acked).TotalSeconds:0.000} s after the cancel was accepted.", trail);
        }
    }
}
