namespace QueueScale.Faults.Checker;

/// <summary>All that is known of one run of the suite.</summary>
public sealed record History
{
    public required SuiteOptions Options { get; init; }

    public required AfterDrain AfterDrain { get; init; }

    public IReadOnlyList<ClientEvent> Client { get; init; } = [];

    public IReadOnlyList<JobRow> Jobs { get; init; } = [];

    public IReadOnlyList<RunRow> Runs { get; init; } = [];

    public IReadOnlyList<JobMove> Moves { get; init; } = [];

    public IReadOnlyList<Fault> Faults { get; init; } = [];

    /// <summary>What the APIs showed of the depth of the queues, and what it was.</summary>
    public IReadOnlyList<DepthSample> Depth { get; init; } = [];

    /// <summary>What the handlers noted outside of PostgreSQL.</summary>
    public IReadOnlyList<LedgerLine> Ledger { get; init; } = [];

    /// <summary>Lines of ledgers that cannot be read, with file and number.</summary>
    public IReadOnlyList<string> DamagedLines { get; init; } = [];

    /// <summary>Reads a folder.</summary>
    /// <exception cref="InvalidDataException">A file other than a ledger cannot be read.</exception>
    public static History Read(string folder)
    {
        var ledger = new List<LedgerLine>();
        var damaged = new List<string>();
        foreach (var file in Directory.EnumerateFiles(folder, HistoryFiles.Ledgers).Order(StringComparer.Ordinal))
        {
            LedgerFile.Read(file, ledger, damaged);
        }

        return new History
        {
            Options = HistoryFiles.Parse<SuiteOptions>(File.ReadAllText(Path.Combine(folder, HistoryFiles.Options))),
            AfterDrain = HistoryFiles.Parse<AfterDrain>(File.ReadAllText(Path.Combine(folder, HistoryFiles.AfterDrain))),
            Client = HistoryFiles.ReadLines<ClientEvent>(folder, HistoryFiles.Client),
            Jobs = HistoryFiles.ReadLines<JobRow>(folder, HistoryFiles.Jobs),
            Runs = HistoryFiles.ReadLines<RunRow>(folder, HistoryFiles.Runs),
            Moves = HistoryFiles.ReadLines<JobMove>(folder, HistoryFiles.Moves),
            Faults = HistoryFiles.ReadLines<Fault>(folder, HistoryFiles.Faults),
            Depth = HistoryFiles.ReadLines<DepthSample>(folder, HistoryFiles.Depth),
            Ledger = ledger,
            DamagedLines = damaged,
        };
    }

    /// <summary>Writes everything into a folder but the ledgers, which the handlers write themselves.</summary>
    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, HistoryFiles.Options), HistoryFiles.Line(Options));
        File.WriteAllText(Path.Combine(folder, HistoryFiles.AfterDrain), HistoryFiles.Line(AfterDrain));
        HistoryFiles.WriteLines(folder, HistoryFiles.Client, Client);
        HistoryFiles.WriteLines(folder, HistoryFiles.Jobs, Jobs);
        HistoryFiles.WriteLines(folder, HistoryFiles.Runs, Runs);
        HistoryFiles.WriteLines(folder, HistoryFiles.Moves, Moves);
        HistoryFiles.WriteLines(folder, HistoryFiles.Faults, Faults);
        HistoryFiles.WriteLines(folder, HistoryFiles.Depth, Depth);
    }
}
