using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

public sealed class VerdictTests
{
    [Fact]
    public void Every_legal_way_of_a_job_passes_and_is_counted()
    {
        var play = new Play();
        play.Submit(4).Finish();
        play.Submit(4).Claim().Do(1, 2).Cut("failed", JobState.Retrying).MoveTo(JobState.Queued).Claim().Do(3, 4).Succeed(4);
        play.Submit(4).Claim().Do(1, 2, 3, 4).Cut("interrupted").Claim().Succeed(4);
        play.Submit(4).Claim().Do(1).Note(LedgerMark.Step, 2).Cut().Claim().Do(2, 3, 4).Succeed(4); // killed between a step and its checkpoint
        play.Submit(4).Claim().Do(1).Note(LedgerMark.Step, 2).Save(2).Cut().Claim().Do(3, 4).Succeed(4); // killed between the checkpoint and its answer
        play.Submit(4).Claim().Cut().Claim().Do(1, 2).Note(LedgerMark.Step, 1, epoch: 1).Do(3, 4).Note(LedgerMark.End, 4, epoch: 1).Succeed(4); // a frozen worker wakes up
        play.Submit(4).Claim().Do(1).Fail();
        play.Submit(4, Phase.Info).Finish();
        play.Submit(4, delay: 0).MoveTo(JobState.Queued).Finish();
        Cancel(play.Submit(4)).MoveTo(JobState.Cancelled);
        Cancel(play.Submit(4).Claim()).Do(1).MoveTo(JobState.Cancelled);
        play.Call(Operation.Submit, Phase.Fail);
        play.Call(Operation.Submit, Phase.Info, token: "never arrived");
        play.AfterDrain = new AfterDrain { At = play.Now, Queues = play.Queues, LateWrites = new Dictionary<Guid, int> { [Guid.NewGuid()] = 1, [Guid.Empty] = 1 } };

        var verdict = play.Judged();
        Assert.True(verdict.Passed, verdict.Report());
        var figures = verdict.Figures;
        Assert.Equal((13, 10, 11), (figures.Attempted, figures.Acked, figures.Terminal));
        Assert.Equal((0, 0, 1), (figures.Lost, figures.Unexpected, figures.Recovered));
        Assert.Equal((2, 2, 0, 2), (figures.DuplicateRuns, figures.RepeatedSteps, figures.DuplicateCompletions, figures.LateWritesRefused));

        PlayedJob Cancel(PlayedJob job)
        {
            play.Call(Operation.Cancel, Phase.Ok, job.Id);
            return job.Row!.State == JobState.Running ? job.Write(row => row with { CancelRequested = true }) : job;
        }
    }

    [Fact]
    public void A_depth_that_is_a_moment_old_or_absent_while_nobody_can_know_it_passes_and_is_counted()
    {
        var play = new Play();
        var jobs = Enumerable.Range(0, 10).Select(_ => play.Submit(4)).ToArray();
        play.Look(table: (10, 0, 0), shown: (7, 0, 0)); // read while they came
        play.Wait(1);
        play.Look(table: null, shown: (10, 0, 0)); // what was known a moment ago
        for (var second = 0; second < 8; second++)
        {
            play.Wait(1);
            play.Look(table: null, shown: null);
        }

        play.Look(table: (10, 0, 0), shown: null); // not read again yet
        Array.ForEach(jobs, job => job.Finish());
        play.Look(table: (0, 0, 0), shown: (10, 0, 0));
        play.Wait(5);
        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
        var verdict = play.Judged();
        Assert.True(verdict.Passed, verdict.Report());
        Assert.Equal((4, 9), (verdict.Figures.DepthsShown, verdict.Figures.DepthsUnknown));
    }

    [Fact]
    public void A_retry_asked_for_through_the_api_makes_a_job_final_once_more()
    {
        var play = new Play();
        var job = play.Submit().Claim().Fail();
        play.Call(Operation.Retry, Phase.Ok, job.Id);
        job.MoveTo(JobState.Queued).Claim().MoveTo(JobState.Succeeded);
        Assert.True(play.Judged().Passed, play.Judged().Report());
    }

    [Fact]
    public void A_second_completion_is_counted()
    {
        var play = new Play();
        play.Submit(4).Finish().MoveTo(JobState.Succeeded);
        Assert.Equal(1, play.Judged().Figures.DuplicateCompletions);
    }

    [Fact]
    public void One_late_job_in_a_hundred_is_allowed()
    {
        var play = new Play();
        var jobs = Enumerable.Range(0, 100).Select(_ => play.Submit(4)).ToArray();
        play.Strike("kill worker");
        Array.ForEach(jobs[1..], job => job.Finish());
        play.Wait(60);
        jobs[0].Finish();
        Assert.True(play.Judged().Passed, play.Judged().Report());
    }

    [Fact]
    public void Recovery_counts_from_the_kill_that_cut_a_run_and_from_the_end_of_an_outage()
    {
        var play = new Play();
        var jobs = Enumerable.Range(1, 100).Select(_ => play.Submit(4).Claim()).ToArray();
        play.Strike("kill worker");
        var killed = play.Now;
        foreach (var job in jobs)
        {
            job.Cut(cutSecondsAgo: (play.Now - killed).TotalSeconds + 0.5); // its last pulse
        }

        play.Wait(2);
        Array.ForEach(jobs, job => job.Claim());
        Array.ForEach(jobs, job => job.Do(1, 2, 3, 4).Succeed(4));
        play.Strike("stop broker", seconds: 30);
        play.Wait(0.98);
        play.Submit(4).Finish();

        var verdict = play.Judged();
        Assert.True(verdict.Passed, verdict.Report());
        Assert.Collection(
            verdict.Figures.Recoveries,
            kill =>
            {
                Assert.Equal(("kill worker", 100), (kill.Kind, kill.Count));
                Assert.Equal((3.99, 4.97, 4.99), (Seconds(kill.P50), Seconds(kill.P99), Seconds(kill.Max)));
            },
            outage => Assert.Equal(("stop broker", 1, 1.02), (outage.Kind, outage.Count, Seconds(outage.Max))));

        static double Seconds(TimeSpan took) => Math.Round(took.TotalSeconds, 2);
    }

    [Fact]
    public void The_story_tells_all_sources_in_the_order_of_time()
    {
        var play = new Play();
        var job = play.Submit(4, Phase.Info, "token-of-mine").Claim().Do(1, 2, 3).Note(LedgerMark.Step, 4);
        play.Strike("kill worker", seconds: 1);
        job.Cut(cutSecondsAgo: 1).Claim().MoveTo(JobState.Succeeded);
        play.Submit(4).Finish();

        var broken = Assert.Single(play.Judged().Broken);
        Assert.Equal(("C5", job.Id), (broken.Rule, broken.Job));
        string[] told =
        [
            $"job {job.Id} (test.ledger, queue default): succeeded in the end, epoch 2, checkpoint 3",
            "database  created: queued",
            "client    submit asked (call 1) token token-of-mine",
            "client    submit answered: info",
            "database  queued -> running: claimed as run 1 at checkpoint 0",
            "ledger    run 1 (pid 100) begins, resumed from step 0",
            "ledger    run 1 (pid 100) does steps 1 to 4, checkpoint acknowledged through 3, until ",
            "FAULT     kill worker strikes worker-1; 60 jobs were",
            "FAULT     kill worker on worker-1 is over",
            "database  running -> queued: epoch 1",
            "database  run 1 recorded as crashed",
            "database  queued -> running: claimed as run 2 at checkpoint 3",
            "ledger    run 2 (pid 100) begins, resumed from step 3",
            "database  running -> succeeded",
        ];
        var lines = broken.Story.TrimEnd().Split('\n');
        Assert.Equal(told.Length, lines.Length);
        Assert.All(told.Zip(lines), pair => Assert.Contains(pair.First, pair.Second, StringComparison.Ordinal));
        Assert.Contains(broken.Story, play.Judged().Report(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_with_a_false_wall_clock_is_judged_by_the_monotonic_one()
    {
        var play = new Play();
        play.Submit(4).Finish();
        var job = play.Submit(4).Claim().Do(1);
        play.Call(Operation.Cancel, Phase.Ok, job.Write(row => row with { CancelRequested = true }).Id);
        job.MoveTo(JobState.Cancelled);
        for (var index = play.Ledger.FindIndex(line => line.Job == job.Id); index < play.Ledger.Count; index++)
        {
            play.Ledger[index] = play.Ledger[index] with { At = play.Ledger[index].At.AddHours(1) };
        }

        Assert.True(play.Judged().Passed, play.Judged().Report());
    }

    [Fact]
    public void An_end_of_a_call_that_never_began_is_refused()
    {
        var play = new Play();
        play.Submit(4).Finish();
        play.Client.RemoveAt(0);
        Assert.Throws<InvalidDataException>(play.Judged);
    }
}
