namespace QueueScale.Faults.Checker;

/// <summary>Judges the whole history of a run afterwards.</summary>
public static class Judge
{
    /// <summary>All rules. A new one is a method of its own and a line here.</summary>
    private static readonly (string Id, Func<Evidence, IEnumerable<Break>> Check)[] Rules =
    [
        ("C1", NothingLost.Check),
        ("C2", OneFinalState.Check),
        ("C3", FencedEpochs.Check),
        ("C4", CheckpointsStay.Check),
        ("C5", EveryStepDone.Check),
        ("C6", SameKeySameJob.Check),
        ("C7", NothingTooEarly.Check),
        ("C8", ReadsGoForward.Check),
        ("C10", DepthIsTrue.Check),
        ("C10", OldestIsTrue.Check),
        ("C10", ReadinessAgrees.Check),
        ("C11", FailuresExplained.Check),
        ("C12", WorkDrains.Check),
        ("P3", DeathsExplained.Check),
        ("P5", HandOversBounded.Check),
        ("hits", FaultsHit.Check),
    ];

    /// <summary>Applies all rules.</summary>
    /// <exception cref="InvalidDataException">The history contradicts itself in a way that only its writer can have caused.</exception>
    public static Verdict Decide(History history)
    {
        var evidence = new Evidence(history);
        return new Verdict(
            Figures.Of(evidence),
            [.. Rules.SelectMany(rule => rule.Check(evidence).Select(found => new BrokenRule(rule.Id, found, history.Faults)))],
            history.DamagedLines);
    }
}
