namespace QueueScale.Faults.Checker;

/// <summary>What one run of a job noted in the ledger.</summary>
internal sealed class LedgerRun(int epoch)
{
    public int Epoch => epoch;

    /// <summary>Processes that began it; more than one shows that the epoch was not unique.</summary>
    public List<int> Pids { get; } = [];

    /// <summary>The step of the checkpoint that it was given; null where the line is missing.</summary>
    public int? ResumedFrom { get; private set; }

    /// <summary>Its effects, in order.</summary>
    public List<int> Steps { get; } = [];

    /// <summary>Checkpoints that were acknowledged to it.</summary>
    public int Saves { get; private set; }

    /// <summary>Whether its handler came to its end.</summary>
    public bool Ended { get; private set; }

    public void Add(LedgerLine line)
    {
        switch (line.Mark)
        {
            case LedgerMark.Begin:
                Pids.Add(line.Pid);
                ResumedFrom ??= line.Step;
                break;
            case LedgerMark.Step:
                Steps.Add(line.Step);
                break;
            case LedgerMark.Saved:
                Saves++;
                break;
            case LedgerMark.End:
                Ended = true;
                break;
        }
    }
}
