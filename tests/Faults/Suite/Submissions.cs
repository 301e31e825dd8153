using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Faults;

/// <summary>What the clients submit.</summary>
internal static class Submissions
{
    public const int StepMilliseconds = 150;
    public const int ImportRows = 4000;

    private static int imports;

    public static SubmitJob Of(string type, object? input = null) => new() { Type = type, Input = input is null ? null : JsonSerializer.SerializeToElement(input, JobJson.Options) };

    /// <summary>A job that notes each step in the ledger.</summary>
    public static Kind Steps(string ledger, double perSecond = 0, int steps = 20, TimeSpan? cancelWithin = null, int milliseconds = StepMilliseconds) =>
        new(cancelWithin is null ? "steps" : "cancelled", perSecond, () => Of("test.steps", new { ledger, steps, milliseconds }), steps, cancelWithin);

    /// <summary>All kinds, so that about 80 jobs run at any time.</summary>
    public static IReadOnlyList<Kind> Mixed(string ledger, string csv) =>
    [
        Steps(ledger, 24),
        Steps(ledger, 2, cancelWithin: TimeSpan.FromSeconds(3)),
        new("noop", 10, () => Of("probe.noop")),
        new("once", 2, () => Of("probe.noop"), Insists: true),
        new("delayed", 3, () => Of("probe.noop") with { Delay = "PT3S" }),
        new("failing", 2, () => Of("probe.fail", new { times = 1 })),
        new("failed", 0.5, () => Of("probe.fail", new { times = 9 }) with { MaxAttempts = 2 }),
        new("import", 0.3, () => Of("csv.import", new { source = $"file:{csv}", table = $"t{Interlocked.Increment(ref imports)}" })),
    ];
}
