using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C8: what one observer is shown of a job never goes back, at whichever API it asks, and is not old.</summary>
internal static class ReadsGoForward
{
    /// <summary>A cache may be 2 seconds late. The rest is for a write whose commit a struck PostgreSQL holds up: the witness writes down the time before the commit.</summary>
    private static readonly TimeSpan MostAge = TimeSpan.FromSeconds(15);

    public static IEnumerable<Break> Check(Evidence evidence) =>
        from trail in evidence.Trails
        where trail.Moves.Count > 0
        from shown in trail.Calls.Where(call => call is { Begin.Observer: not null, End.State: not null }).GroupBy(call => call.Begin.Observer!)
        from found in Check(trail, shown)
        select found;

    private static IEnumerable<Break> Check(JobTrail trail, IEnumerable<Call> calls)
    {
        var (at, last) = (0, (Call?)null); // what was shown last is what this write left, or a later one
        foreach (var call in calls.OrderBy(call => call.Begin.At))
        {
            var (observer, shown) = (call.Begin.Observer, call.End!);
            var written = trail.Moves.FindLastIndex(move => (uint)move.Transaction == shown.Version);
            var now = written >= 0 ? written : trail.Moves.FindIndex(at, move => move.State == shown.State); // the witness leaves progress and checkpoints out
            if (written >= 0 && trail.Moves[written].State != shown.State)
            {
                yield return new($"{observer} was shown {Word(shown)} in call {call.Begin.Call}, but that write had left it {trail.Moves[written].State.Word()}.", trail);
            }
            else if (now < at)
            {
                yield return new($"{observer} was shown {Word(shown)} in call {call.Begin.Call}, after {Word(last!.End!)} in call {last.Begin.Call}.", trail);
            }
            else
            {
                (at, last) = (now, call);
            }

            if (written >= 0 && written + 1 < trail.Moves.Count && trail.Moves[written + 1].At < call.Begin.At - MostAge)
            {
                yield return new($"{observer} was shown {Word(shown)} in call {call.Begin.Call}, more than {MostAge.TotalSeconds:0} s after that was over.", trail);
            }
        }
    }

    private static string Word(ClientEvent shown) => $"{shown.State!.Value.Word()} (version {shown.Version})";
}
