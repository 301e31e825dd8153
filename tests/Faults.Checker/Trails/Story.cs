using System.Globalization;
using System.Text;
using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>All events of all sources about one job, merged in the order of time, for a person to read.</summary>
internal static class Story
{
    public static string Of(JobTrail trail, IReadOnlyList<Fault> faults)
    {
        var events = trail.Calls.SelectMany(call => call.Events).Select(Client)
            .Concat(trail.Moves.Select(Database))
            .Concat(trail.Runs.Select(Database))
            .Concat(Ledger(trail.Ledger))
            .OrderBy(told => told.At)
            .ToList();
        if (events.Count > 0)
        {
            var (first, last) = (events[0].At, events[^1].At);
            events.AddRange(faults.Where(fault => fault.Ended >= first && fault.Begun <= last).SelectMany(Strike));
        }

        var text = new StringBuilder().AppendLine(Title(trail));
        foreach (var (at, source, what) in events.OrderBy(told => told.At)) // stable: what happened at once stays in the order of the sources
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {at:HH:mm:ss.ffffff} {(at - events[0].At).TotalSeconds,11:+0.000000;-0.000000} s  {source,-8}  {what}");
        }

        return text.ToString();
    }

    private static string Title(JobTrail trail) => trail.Row is { } row
        ? $"job {row.Id} ({row.Type}, queue {row.Queue}): {row.State.Word()} in the end, epoch {row.Epoch}, checkpoint {row.CheckpointSeq}, "
            + $"{Counters(row.Attempts, row.Interruptions, row.Crashes)}"
            + (row.CancelRequested ? ", cancel requested" : "")
            + (row.ErrorCode is { } code ? $", error {code}" : "")
            + (trail.Steps is { } steps ? $"; {steps} steps to do" : "")
        : $"job {trail.Job}: no row in the end";

    private static Told Client(ClientEvent happened)
    {
        var what = new StringBuilder($"{happened.Operation.Word()} {(happened.Phase == Phase.Invoke ? "asked" : $"answered: {happened.Phase.Word()}")} (call {happened.Call}");
        what.Append(happened.Observer is { } observer ? $", {observer})" : ")");
        what.Append(happened.State is { } state ? $" {state.Word()}" : "").Append(happened.Version is { } version ? $", version {version}" : "");
        what.Append(happened.Token is { } token ? $" token {token}" : "").Append(happened.Detail is { } detail ? $" - {detail}" : "");
        return new(happened.At, "client", what.ToString());
    }

    private static Told Database(JobMove move)
    {
        var what = move.OldState switch
        {
            null => $"created: {move.State.Word()}",
            { } old when move.IsClaim => $"{old.Word()} -> running: claimed as run {move.Epoch} at checkpoint {move.CheckpointSeq}",
            { } old when old == move.State => $"written while {move.State.Word()}: epoch {move.Epoch}, checkpoint {move.CheckpointSeq}",
            { } old => $"{old.Word()} -> {move.State.Word()}: epoch {move.Epoch}, checkpoint {move.CheckpointSeq}, {Counters(move.Attempts, move.Interruptions, move.Crashes)}",
        };
        var due = move is { RunAt: { } runAt, State: JobState.Scheduled or JobState.Retrying } ? $", not before {runAt:HH:mm:ss.ffffff}" : "";
        return new(move.At, "database", what + due + (move.CancelRequested ? ", cancel requested" : ""));
    }

    private static Told Database(RunRow run) => new(run.EndedAt, "database",
        $"run {run.Epoch} recorded as {run.How}, begun {run.StartedAt:HH:mm:ss.ffffff} from checkpoint {run.FromSeq}"
        + (run.HandoverFrom is { } from ? $", hand-over counted from {from:HH:mm:ss.ffffff}" : "")
        + (run.ErrorCode is { } code ? $", error {code}" : ""));

    /// <summary>The ledger, with the steps that a run did without anything else in between told in one line.</summary>
    private static IEnumerable<Told> Ledger(List<LedgerLine> lines)
    {
        for (var index = 0; index < lines.Count;)
        {
            var first = lines[index];
            var (last, saved) = (first.Step, 0);
            var end = index;
            while (end < lines.Count && lines[end] is var line && line.Epoch == first.Epoch && line.Pid == first.Pid && Continues(line))
            {
                (last, saved) = line.Mark == LedgerMark.Step ? (line.Step, saved) : (last, line.Step);
                end++;
            }

            if (end > index)
            {
                yield return Run(first, (last > first.Step ? $"does steps {first.Step} to {last}" : $"does step {first.Step}")
                    + (saved > 0 ? $", checkpoint acknowledged through {saved}" : "")
                    + (end > index + 1 ? $", until {lines[end - 1].At:HH:mm:ss.ffffff}" : ""));
                index = end;
            }
            else
            {
                yield return Run(first, first.Mark switch
                {
                    LedgerMark.Begin => $"begins, resumed from step {first.Step}",
                    LedgerMark.Saved => $"has its checkpoint acknowledged through {first.Step}",
                    LedgerMark.End => $"comes to its end after step {first.Step}",
                    _ => throw new System.Diagnostics.UnreachableException($"Unhandled {first.Mark}"),
                });
                index++;
            }

            bool Continues(LedgerLine line) => first.Mark == LedgerMark.Step && line.Mark switch
            {
                LedgerMark.Step => line.Step == (end == index ? first.Step : last + 1),
                LedgerMark.Saved => line.Step == last,
                _ => false,
            };
        }

        static Told Run(LedgerLine line, string what) => new(line.At, "ledger", $"run {line.Epoch} (pid {line.Pid}) {what}");
    }

    private static IEnumerable<Told> Strike(Fault fault)
    {
        yield return new(fault.Begun, "FAULT", $"{fault.Kind} strikes {fault.Target}; {fault.JobsHit} jobs were running or being submitted");
        if (fault.Ended > fault.Begun)
        {
            yield return new(fault.Ended, "FAULT", $"{fault.Kind} on {fault.Target} is over");
        }
    }

    private static string Counters(int attempts, int interruptions, int crashes) => $"attempts {attempts}, interruptions {interruptions}, crashes {crashes}";

    private readonly record struct Told(DateTime At, string Source, string What);
}
