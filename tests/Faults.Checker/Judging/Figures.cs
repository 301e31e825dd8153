using System.Globalization;

namespace QueueScale.Faults.Checker;

/// <summary>What is counted in a history.</summary>
public sealed record Figures
{
    /// <summary>Jobs that clients tried to submit.</summary>
    public required int Attempted { get; init; }

    /// <summary>Jobs that were accepted.</summary>
    public required int Acked { get; init; }

    /// <summary>Jobs in a final state.</summary>
    public required int Terminal { get; init; }

    /// <summary>Acked, and not terminal.</summary>
    public required int Lost { get; init; }

    /// <summary>Terminal, and not attempted.</summary>
    public required int Unexpected { get; init; }

    /// <summary>Terminal, although the client had no answer to its submission.</summary>
    public required int Recovered { get; init; }

    /// <summary>Runs that did a step which an earlier run of the job had done.</summary>
    public required int DuplicateRuns { get; init; }

    /// <summary>Effects beyond the first of each step.</summary>
    public required int RepeatedSteps { get; init; }

    /// <summary>Jobs that came to a final state more often than retries were asked for.</summary>
    public required int DuplicateCompletions { get; init; }

    /// <summary>Late writes that the fence refused, as the workers logged them.</summary>
    public required int LateWritesRefused { get; init; }

    /// <summary>How often an API or a worker showed the depth of the queues.</summary>
    public required int DepthsShown { get; init; }

    /// <summary>How often it was asked and showed none.</summary>
    public required int DepthsUnknown { get; init; }

    /// <summary>How often a worker called itself backlogged.</summary>
    public required int Backlogged { get; init; }

    /// <summary>How long the system took to go on, for each kind of fault.</summary>
    public required IReadOnlyList<RecoveryTimes> Recoveries { get; init; }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"""
        {Attempted} jobs attempted, {Acked} acked, {Terminal} terminal, {Lost} lost, {Unexpected} unexpected, {Recovered} recovered
        {DuplicateRuns} duplicate runs, {RepeatedSteps} repeated steps, {DuplicateCompletions} duplicate completions, {LateWritesRefused} late writes refused, {DepthsShown} depths shown, {DepthsUnknown} unknown, {Backlogged} times backlogged
        {string.Join('\n', Recoveries)}
        """).TrimEnd();

    internal static Figures Of(Evidence evidence)
    {
        var repeats = evidence.Trails.SelectMany(Repeats).ToList();
        return new Figures
        {
            Attempted = evidence.Attempted,
            Acked = evidence.Acked.Count(),
            Terminal = evidence.Terminal.Count(),
            Lost = evidence.Lost.Count(),
            Unexpected = evidence.Unexpected.Count(),
            Recovered = evidence.Recovered.Count(),
            DuplicateRuns = repeats.Count(steps => steps > 0),
            RepeatedSteps = repeats.Sum(),
            DuplicateCompletions = evidence.Trails.Count(trail => OneFinalState.Completions(trail) > OneFinalState.Allowed(trail).Most),
            LateWritesRefused = evidence.History.AfterDrain.LateWrites.Values.Sum(),
            DepthsShown = evidence.History.Depth.Count(sample => sample.Shown.Queues is not null),
            DepthsUnknown = evidence.History.Depth.Count(sample => sample.Shown.Queues is null),
            Backlogged = evidence.History.Depth.Count(sample => sample.Readiness?.Status == "backlogged"),
            Recoveries = RecoveryTimes.Of(evidence),
        };
    }

    /// <summary>For each run of the job, how many of its steps had been done before.</summary>
    private static IEnumerable<int> Repeats(JobTrail trail)
    {
        var done = new HashSet<int>();
        return trail.LedgerRuns.Select(run => run.Steps.Count(step => !done.Add(step))).ToList();
    }
}

/// <summary>How long it took until work went on after faults of one kind.</summary>
/// <param name="Kind">The kind of fault.</param>
/// <param name="Count">Samples: a run that was cut, or a fault that cut none.</param>
public sealed record RecoveryTimes(string Kind, int Count, TimeSpan P50, TimeSpan P99, TimeSpan Max)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"recovery from {Kind}: p50 {P50.TotalSeconds:0.000} s, p99 {P99.TotalSeconds:0.000} s, max {Max.TotalSeconds:0.000} s over {Count}");

    internal static IReadOnlyList<RecoveryTimes> Of(Evidence evidence) =>
        [.. Recovery.Of(evidence).GroupBy(recovery => recovery.Fault.Kind, recovery => recovery.Took)
            .Select(times => Of(times.Key, [.. times.Order()])).OrderBy(times => times.Kind, StringComparer.Ordinal)];

    private static RecoveryTimes Of(string kind, TimeSpan[] sorted) => new(kind, sorted.Length, Percentile(sorted, 0.5), Percentile(sorted, 0.99), sorted[^1]);

    /// <summary>The nearest rank.</summary>
    internal static T Percentile<T>(IReadOnlyList<T> sorted, double share) => sorted[(int)Math.Ceiling(share * sorted.Count) - 1];
}
