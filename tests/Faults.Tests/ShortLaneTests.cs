namespace QueueScale.Faults.Tests;

public sealed class ShortLaneTests
{
    [Fact]
    public async Task Every_fault_of_the_short_lane_costs_time_and_no_job()
    {
        var outcome = await Lanes.ShortAsync(seed: 20, only: [], (what, text) => TestContext.Current.SendDiagnosticMessage("{0} {1}", what, text));
        Assert.True(outcome.Passed, string.Join('\n', [.. outcome.Troubles, .. outcome.Odd, outcome.Verdict.Report(stories: 1)]));
        Assert.True(outcome.Verdict.Figures is { Lost: 0, Unexpected: 0, DuplicateCompletions: 0, Acked: > 5000 }, outcome.Verdict.Report());
    }
}
