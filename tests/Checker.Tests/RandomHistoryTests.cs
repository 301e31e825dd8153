using FsCheck;
using FsCheck.Fluent;
using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

/// <summary>Wherever a correct system is cut, it passes; and whatever single write or effect is taken away from a history, it is missed.</summary>
public sealed class RandomHistoryTests
{
    private const int Steps = 4;

    /// <summary>What becomes of a run: how far it comes, and where it is cut.</summary>
    private static readonly Arbitrary<(int StepsDone, int CutAfter)[]> Runs = Gen.Choose(0, Steps).Zip(Gen.Choose(0, 2)).ArrayOf().ToArbitrary();

    [Fact]
    public void A_job_passes_wherever_its_runs_are_cut() =>
        Prop.ForAll(Runs, runs => PlayOf(runs).Judged().Passed).Check(Config.QuickThrowOnFailure);

    [Fact]
    public void An_effect_or_a_write_that_is_missing_is_missed() => Prop.ForAll(Runs, runs =>
    {
        var whole = PlayOf(runs).Tell();
        var onlyEffects = whole.Ledger.Where(line => line.Mark == LedgerMark.Step).GroupBy(line => line.Step).Where(effects => effects.Count() == 1).SelectMany(effects => effects);
        return onlyEffects.All(line => !Judge.Decide(whole with { Ledger = [.. whole.Ledger.Where(other => other != line)] }).Passed)
            && whole.Moves.All(move => !Judge.Decide(whole with { Moves = [.. whole.Moves.Where(other => other != move)] }).Passed);
    }).Check(Config.QuickThrowOnFailure);

    private static Play PlayOf((int StepsDone, int CutAfter)[] runs)
    {
        var play = new Play();
        var job = play.Submit(Steps);
        foreach (var (stepsDone, cutAfter) in runs)
        {
            job.Claim();
            for (var step = job.SavedStep + 1; step <= Steps && step <= stepsDone; step++)
            {
                job.Do(step);
            }

            if (job.SavedStep < Steps)
            {
                _ = cutAfter switch
                {
                    0 => job,
                    1 => job.Note(LedgerMark.Step, job.SavedStep + 1),
                    _ => job.Note(LedgerMark.Step, job.SavedStep + 1).Save(job.SavedStep + 1),
                };
            }

            job.Cut();
        }

        job.Claim();
        while (job.SavedStep < Steps)
        {
            job.Do(job.SavedStep + 1);
        }

        job.Succeed(Steps);
        return play;
    }
}
