using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C2: a job becomes final once, and once more for each retry asked for through the API; on the way it makes only moves that there are, and its row is
/// what the last write left.</summary>
internal static class OneFinalState
{
    public static IEnumerable<Break> Check(Evidence evidence) => evidence.Trails.Where(trail => trail.Row is not null).SelectMany(Check);

    /// <summary>How often the job became final. A write to a final row is one more, also if it leaves the state as it is.</summary>
    public static int Completions(JobTrail trail) => trail.Moves.Count(move => move.State.IsFinal());

    /// <summary>How often it may become final; a retry without an answer leaves both open.</summary>
    public static (int Least, int Most) Allowed(JobTrail trail)
    {
        var least = 1 + trail.Asked(Operation.Retry, Phase.Ok);
        return (least, least + trail.Asked(Operation.Retry, Phase.Info));
    }

    private static IEnumerable<Break> Check(JobTrail trail)
    {
        var last = (JobState?)null;
        foreach (var move in trail.Moves)
        {
            if (move.OldState != last)
            {
                yield return new($"A write found the job {Word(move.OldState)}, but the write before had left it {Word(last)}.", trail);
            }
            else if (!IsLegal(move, trail))
            {
                yield return new(
                    move.OldState == move.State ? $"The job was written although it was {move.State.Word()}." : $"The job moved from {Word(move.OldState)} to {move.State.Word()}.",
                    trail);
            }

            last = move.State;
        }

        var row = trail.Row!;
        if (row.State != last)
        {
            yield return new($"The job is {row.State.Word()}, but the last write had left it {Word(last)}.", trail);
        }

        var (least, most) = Allowed(trail);
        var completions = Completions(trail);
        if (completions > most || (row.State.IsFinal() && completions < least))
        {
            yield return new($"The job became final {completions} times, and {(most > least ? $"{least} to {most}" : least)} would be right.", trail);
        }
    }

    private static bool IsLegal(JobMove move, JobTrail trail) => move.OldState switch
    {
        null => move.State is JobState.Scheduled or JobState.Queued,
        { } old when old.IsFinal() => move.State == JobState.Queued && Allowed(trail).Most > 1,
        { } old => old == move.State || JobMoves.Allows(old, move.State),
    };

    private static string Word(JobState? state) => state?.Word() ?? "not there";
}
