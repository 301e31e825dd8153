using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C3: each claim raises the epoch by one and nothing else does; an epoch has one run; and no write of a run is accepted once a newer one has begun.</summary>
internal static class FencedEpochs
{
    /// <summary>So much may the database's clock and a ledger's differ.</summary>
    private static readonly TimeSpan ClockMargin = TimeSpan.FromMilliseconds(10);

    public static IEnumerable<Break> Check(Evidence evidence) => evidence.Trails.SelectMany(trail => Epochs(trail).Concat(Runs(trail)).Concat(LateWrites(trail)));

    private static IEnumerable<Break> Epochs(JobTrail trail)
    {
        var last = 0;
        foreach (var move in trail.Moves)
        {
            var right = last + (move.IsClaim ? 1 : 0);
            if (move.Epoch != right || (move.OldEpoch ?? 0) != last)
            {
                yield return new($"{(move.IsClaim ? "A claim" : "A write that is no claim")} left the epoch {move.Epoch} where {right} was due.", trail);
            }

            last = move.Epoch;
        }

        if (trail.Row is { } row && trail.Moves.Count > 0 && row.Epoch != last)
        {
            yield return new($"The job has the epoch {row.Epoch}, but the last write had left {last}.", trail);
        }
    }

    private static IEnumerable<Break> Runs(JobTrail trail)
    {
        foreach (var run in trail.LedgerRuns)
        {
            if (trail.Moves.Count > 0 && !trail.Moves.Exists(move => move.IsClaim && move.Epoch == run.Epoch))
            {
                yield return new($"Run {run.Epoch} was never claimed.", trail);
            }

            if (run.Pids.Count > 1)
            {
                yield return new($"Run {run.Epoch} began {run.Pids.Count} times, in the processes {string.Join(", ", run.Pids)}.", trail);
            }
        }

        foreach (var epochs in trail.Runs.GroupBy(run => run.Epoch).Where(runs => runs.Count() > 1))
        {
            yield return new($"Run {epochs.Key} is recorded {epochs.Count()} times.", trail);
        }
    }

    /// <summary>PostgreSQL does not show who wrote a row, but the ledger shows which run came so far.</summary>
    private static IEnumerable<Break> LateWrites(JobTrail trail)
    {
        if (trail.Row is not { } row)
        {
            yield break;
        }

        if (trail.Moves.Find(move => move.State == JobState.Succeeded) is { } success
            && trail.Ledger.FindAll(line => line.Mark == LedgerMark.End) is [.., var lastEnd] ends
            && !ends.Exists(end => end.Epoch == success.Epoch && end.At <= success.At + ClockMargin))
        {
            yield return new(
                ends.Exists(end => end.Epoch == success.Epoch)
                    ? $"The job succeeded in run {success.Epoch} before that run came to its end."
                    : $"The job succeeded in run {success.Epoch}, which never came to its end; run {lastEnd.Epoch} did.",
                trail);
        }

        // Each save raises the number by one, so what two claims see tells the saves of the run between. Too few in all are C4's.
        if (trail.LedgerRuns.Sum(run => run.Saves) > row.CheckpointSeq)
        {
            yield break;
        }

        foreach (var run in trail.LedgerRuns)
        {
            if (trail.Moves.Find(move => move.IsClaim && move.Epoch == run.Epoch) is { } claim
                && (trail.Moves.Find(move => move.IsClaim && move.Epoch == run.Epoch + 1)?.CheckpointSeq ?? row.CheckpointSeq) - claim.CheckpointSeq is var saves
                && run.Saves > saves)
            {
                yield return new($"Run {run.Epoch} was told of {run.Saves} saved checkpoints, but only {saves} were written before the next claim.", trail);
            }
        }
    }
}
