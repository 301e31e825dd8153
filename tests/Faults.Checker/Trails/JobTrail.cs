using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>What all sources know of one job.</summary>
internal sealed class JobTrail(Guid job)
{
    public Guid Job => job;

    /// <summary>The submission that made it; null where no client knows of one.</summary>
    public Call? Submission { get; set; }

    /// <summary>All calls about it, its submission among them.</summary>
    public List<Call> Calls { get; } = [];

    public JobRow? Row { get; set; }

    /// <summary>In the order of the writes.</summary>
    public List<JobMove> Moves { get; } = [];

    public List<RunRow> Runs { get; } = [];

    /// <summary>In the order of the monotonic clock, which all processes of a machine share.</summary>
    public List<LedgerLine> Ledger { get; } = [];

    /// <summary>The ledger by runs, in the order of their epochs.</summary>
    public IReadOnlyList<LedgerRun> LedgerRuns { get; private set; } = [];

    public bool IsFinal => Row is { State: var state } && state.IsFinal();

    /// <summary>Steps that its handler has to do; null where it keeps no ledger.</summary>
    public int? Steps => Submission?.Steps;

    public int Asked(Operation operation, Phase outcome) => Calls.Count(call => call.Operation == operation && call.Outcome == outcome);

    /// <summary>Brings everything into its order once all of it is there.</summary>
    public void Sort()
    {
        Moves.Sort((one, other) => one.Seq.CompareTo(other.Seq));
        Ledger.Sort((one, other) => one.Monotonic.CompareTo(other.Monotonic));
        var runs = new SortedList<int, LedgerRun>();
        foreach (var line in Ledger)
        {
            if (!runs.TryGetValue(line.Epoch, out var run))
            {
                runs.Add(line.Epoch, run = new LedgerRun(line.Epoch));
            }

            run.Add(line);
        }

        LedgerRuns = [.. runs.Values];
    }
}
