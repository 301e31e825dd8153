namespace QueueScale.Faults.Checker;

/// <summary>C4: a checkpoint's number never falls; a run begins where the last acknowledged checkpoint left off or later, but not beyond what was done.</summary>
internal static class CheckpointsStay
{
    public static IEnumerable<Break> Check(Evidence evidence) => evidence.Trails.SelectMany(trail => Numbers(trail).Concat(Resumes(trail)));

    private static IEnumerable<Break> Numbers(JobTrail trail)
    {
        var reached = 0;
        foreach (var move in trail.Moves)
        {
            if ((move.OldCheckpointSeq ?? 0) < reached || move.CheckpointSeq < (move.OldCheckpointSeq ?? 0))
            {
                yield return new($"The checkpoint number fell from {Math.Max(reached, move.OldCheckpointSeq ?? 0)} to {move.CheckpointSeq}.", trail);
            }

            reached = move.CheckpointSeq;
            if (move.IsClaim && trail.Runs.Find(run => run.Epoch == move.Epoch) is { } run && run.FromSeq != move.CheckpointSeq)
            {
                yield return new($"Run {run.Epoch} is recorded as begun from checkpoint {run.FromSeq}, but was claimed at {move.CheckpointSeq}.", trail);
            }
        }

        if (trail.Row is { } row)
        {
            if (row.CheckpointSeq < reached)
            {
                yield return new($"The checkpoint number is {row.CheckpointSeq} in the end, but had reached {reached}.", trail);
            }

            if (trail.LedgerRuns.Sum(run => run.Saves) is var saves && saves > row.CheckpointSeq)
            {
                yield return new($"{saves} checkpoints were acknowledged, and only {row.CheckpointSeq} were saved.", trail);
            }
        }
    }

    /// <summary>Along the ledger's own time: a frozen worker that wakes up may go on, or even begin, while a newer run is on its way. It is measured by
    /// what older runs had saved when it was claimed.</summary>
    private static IEnumerable<Break> Resumes(JobTrail trail)
    {
        var saved = new SortedDictionary<int, int>();
        var done = 0;
        foreach (var line in trail.Ledger)
        {
            switch (line.Mark)
            {
                case LedgerMark.Begin when saved.Where(save => save.Key < line.Epoch).Select(save => save.Value).DefaultIfEmpty().Max() is var reached && line.Step < reached:
                    yield return new($"Run {line.Epoch} was resumed from step {line.Step}, but the checkpoint through step {reached} had been acknowledged.", trail);
                    break;
                case LedgerMark.Begin when line.Step > done:
                    yield return new($"Run {line.Epoch} was resumed from step {line.Step}, but only step {done} had been reached.", trail);
                    break;
                case LedgerMark.Step:
                    done = Math.Max(done, line.Step);
                    break;
                case LedgerMark.Saved:
                    saved[line.Epoch] = Math.Max(saved.GetValueOrDefault(line.Epoch), line.Step);
                    break;
            }
        }

        foreach (var run in trail.LedgerRuns)
        {
            if (run is { ResumedFrom: { } from, Steps: [var first, ..] } && first != from + 1)
            {
                yield return new($"Run {run.Epoch} was resumed from step {from} and began with step {first}.", trail);
            }
        }
    }
}
