using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Tests;

/// <summary>Each test spoils a clean history in one way, which breaks one rule and no other.</summary>
public sealed class RuleTests
{
    [Fact]
    public void C1_an_accepted_job_without_a_row() => Breaks("C1", "is not in the database", play =>
        play.Call(Operation.Submit, Phase.Ok, answered: Guid.CreateVersion7()));

    [Fact]
    public void C1_an_accepted_job_that_is_not_final() => Breaks("C1", "still queued", play => play.Submit());

    [Fact]
    public void C1_a_job_that_nobody_submitted() => Breaks("C1", "No client", play => play.Submit(answer: null).Finish());

    [Fact]
    public void C1_a_job_of_a_refused_submission() => Breaks("C1", "was refused", play => play.Submit(4, Phase.Fail).Finish());

    [Fact]
    public void C1_two_jobs_of_one_submission() => Breaks("C1", "No client", play =>
    {
        play.Submit(4, Phase.Info, "twice").Finish();
        var second = play.Submit(answer: null).Finish();
        second.Row = second.Row! with { Tags = ["twice"] };
    });

    [Fact]
    public void C1_an_unanswered_job_that_never_ends() => Breaks("C1", "still running", play => play.Submit(4, Phase.Info).Claim());

    [Fact]
    public void C1_an_unanswered_job_whose_row_is_gone() => Breaks("C1", "its row is gone", play => play.Submit(4, Phase.Info).Row = null);

    [Fact]
    public void C1_a_queue_that_is_not_empty() => Breaks("C1", "1 ready, 2 unack", play => play.Queues.Add(new("qs.other", 1, 2)));

    [Fact]
    public void C2_a_job_that_becomes_final_twice() => Breaks("C2", "although it was succeeded", play => play.Submit(4).Finish().MoveTo(JobState.Succeeded));

    [Fact]
    public void C2_a_move_that_there_is_not() => Breaks("C2", "from scheduled to running", play =>
    {
        var job = play.Submit(4, delay: 1);
        play.Wait(2);
        job.Finish();
    });

    [Fact]
    public void C2_a_job_that_is_created_final() => Breaks("C2", "not there to cancelled", play =>
    {
        var job = play.Submit();
        job.Row = job.Row! with { State = JobState.Cancelled };
        play.Moves[^1] = play.Moves[^1] with { State = JobState.Cancelled };
    });

    [Fact]
    public void C2_a_row_that_is_not_what_the_last_write_left() => Breaks("C2", "is succeeded, but", play =>
    {
        play.Submit(4).Finish();
        play.Moves.RemoveAt(play.Moves.Count - 1);
    });

    [Fact]
    public void C2_a_hole_in_the_history() => Breaks("C2", "found the job retrying", play =>
    {
        play.Submit().Claim().Cut("failed", JobState.Retrying).MoveTo(JobState.Queued).Claim().MoveTo(JobState.Succeeded);
        play.Moves.RemoveAll(move => move.State == JobState.Retrying);
    });

    [Fact]
    public void C2_a_retry_that_was_answered_with_yes_and_never_came() => Breaks("C2", "2 would be right", play =>
        play.Call(Operation.Retry, Phase.Ok, play.Submit().Claim().Fail().Id));

    [Fact]
    public void C3_a_claim_that_skips_an_epoch() => Breaks("C3", "2 where 1 was due", play =>
        play.Submit().Write(row => row with { State = JobState.Running, Epoch = 2 }).MoveTo(JobState.Succeeded));

    [Fact]
    public void C3_an_epoch_that_rises_without_a_claim() => Breaks("C3", "no claim", play =>
        play.Submit().ClaimOnly().Write(row => row with { Epoch = 2 }).MoveTo(JobState.Succeeded));

    [Fact]
    public void C3_a_row_with_another_epoch_than_the_last_write_left() => Breaks("C3", "epoch 7", play =>
    {
        var job = play.Submit().ClaimOnly().MoveTo(JobState.Succeeded);
        job.Row = job.Row! with { Epoch = 7 };
    });

    [Fact]
    public void C3_two_processes_in_one_run() => Breaks("C3", "in the processes 100, 200", play =>
        play.Submit(4).Claim().Note(LedgerMark.Begin, 0, pid: 200).Do(1, 2, 3, 4).Succeed(4));

    [Fact]
    public void C3_a_run_that_was_never_claimed() => Breaks("C3", "Run 2 was never claimed", play => play.Submit(4).Finish().Note(LedgerMark.Begin, 4, epoch: 2));

    [Fact]
    public void C3_a_run_that_is_recorded_twice() => Breaks("C3", "recorded 2 times", play =>
    {
        play.Submit(4).Claim().Cut().Finish();
        play.Runs.Add(play.Runs[^1]);
    });

    [Fact]
    public void C3_a_late_completion_that_is_accepted() => Breaks("C3", "run 1 did", play =>
        play.Submit(4).Claim().Do(1, 2, 3, 4).Cut().Claim().Note(LedgerMark.End, 4, epoch: 1).MoveTo(JobState.Succeeded));

    [Fact]
    public void C3_a_late_completion_while_the_newer_run_goes_on() => Breaks("C3", "before that run came to its end", play =>
    {
        var job = play.Submit(4).Claim().Do(1, 2, 3, 4).Cut().Claim().Note(LedgerMark.End, 4, epoch: 1).MoveTo(JobState.Succeeded);
        play.Wait(0.1);
        job.Note(LedgerMark.End, 4);
    });

    [Fact]
    public void C3_a_late_checkpoint_that_is_accepted() => Breaks("C3", "told of 3 saved checkpoints, but only 2", play =>
        play.Submit(4).Claim().Do(1, 2).Cut().Claim().Note(LedgerMark.Step, 3, epoch: 1).Save(3).Note(LedgerMark.Saved, 3, epoch: 1)
            .Note(LedgerMark.Step, 3).Cut().Claim().Do(4).Succeed(4));

    [Fact]
    public void C4_a_checkpoint_number_that_falls_with_a_write() => Breaks("C4", "fell from 2 to 1", play =>
        play.Submit().ClaimOnly().Save(1).Save(2).Write(row => row with { CheckpointSeq = 1, State = JobState.Queued }).ClaimOnly().MoveTo(JobState.Succeeded));

    [Fact]
    public void C4_a_checkpoint_number_that_falls_unseen() => Breaks("C4", "fell from 2 to 1", play =>
    {
        var job = play.Submit().ClaimOnly().Save(1).Save(2).MoveTo(JobState.Queued);
        job.Row = job.Row! with { CheckpointSeq = 1 };
        job.ClaimOnly().MoveTo(JobState.Succeeded);
    });

    [Fact]
    public void C4_a_checkpoint_number_that_is_lower_in_the_end() => Breaks("C4", "had reached 1", play =>
    {
        var job = play.Submit().ClaimOnly().Save(1).MoveTo(JobState.Succeeded);
        job.Row = job.Row! with { CheckpointSeq = 0 };
    });

    [Fact]
    public void C4_a_run_that_is_recorded_from_another_checkpoint() => Breaks("C4", "from checkpoint 5", play =>
    {
        play.Submit().ClaimOnly().Cut().ClaimOnly().MoveTo(JobState.Succeeded);
        play.Runs[^1] = play.Runs[^1] with { FromSeq = 5 };
    });

    [Fact]
    public void C4_a_checkpoint_that_was_acknowledged_and_not_saved() => Breaks("C4", "4 checkpoints were acknowledged, and only 3", play =>
        play.Submit(4).Claim().Do(1, 2, 3).Note(LedgerMark.Step, 4).Note(LedgerMark.Saved, 4).Succeed(4));

    [Fact]
    public void C4_a_checkpoint_that_is_rolled_back() => Breaks("C4", "through step 2 had been acknowledged", play =>
        play.Submit(4).Claim().Do(1, 2).Cut().Claim(resumedFrom: 1).Do(2, 3, 4).Succeed(4));

    [Fact]
    public void C4_a_resume_beyond_what_was_done() => Breaks("C4", "only step 1 had been reached", play =>
        play.Submit(4).Claim().Do(1).Cut().Claim(resumedFrom: 2).Do(3).Fail());

    [Fact]
    public void C4_a_run_that_begins_elsewhere_than_at_its_checkpoint() => Breaks("C4", "began with step 2", play =>
        play.Submit(4).Claim().Do(1, 2).Cut().Claim().Do(2, 3, 4).Succeed(4));

    [Fact]
    public void C6_two_jobs_answered_under_one_key() => Breaks("C6", "answered with 2 jobs", play =>
    {
        play.Submit(4, token: "once").Finish();
        play.Submit(4, token: "once").Finish();
    });

    [Fact]
    public void A_repeat_under_the_same_key_that_is_answered_with_the_same_job_breaks_nothing()
    {
        var play = new Play();
        var job = play.Submit(4, Phase.Info, "once").Finish();
        play.Call(Operation.Submit, Phase.Ok, answered: job.Id, token: "once", steps: 4);
        play.Call(Operation.Submit, Phase.Ok, answered: job.Id, token: "once", steps: 4);
        Assert.True(play.Judged().Passed, play.Judged().Report());
        Assert.Equal(1, play.Judged().Figures.Attempted);
    }

    [Fact]
    public void C5_a_step_that_never_happened() => Breaks("C5", "never happened: 3", play => play.Submit(4).Claim().Do(1, 2, 4).Succeed(4));

    [Fact]
    public void C5_a_step_that_there_is_not() => Breaks("C5", "did these too: 5", play => play.Submit(4).Claim().Do(1, 2, 3, 4, 5).Succeed(5));

    [Fact]
    public void C5_a_success_without_an_end() => Breaks("C5", "no run came to its end", play => play.Submit(4).Claim().Do(1, 2, 3, 4).MoveTo(JobState.Succeeded));

    [Fact]
    public void C5_a_step_repeated_within_a_run() => Breaks("C5", "more than once: 2", play => play.Submit(4).Claim().Do(1, 2, 2, 3, 4).Succeed(4));

    [Fact]
    public void C5_more_steps_repeated_than_the_bound() => Breaks("C5", "later steps had been done: 2, 3", play =>
        play.Submit(4).Claim().Do(1).Note(LedgerMark.Step, 2).Note(LedgerMark.Step, 3).Cut().Claim().Do(2, 3, 4).Succeed(4));

    [Fact]
    public void C7_a_run_before_its_time() => Breaks("C7", "before its time", play => play.Submit(4, delay: 2).MoveTo(JobState.Queued).Finish());

    [Fact]
    public void C7_a_claim_of_a_job_to_be_cancelled() => Breaks("C7", "to be cancelled", play =>
        play.Submit(4).Claim().Write(row => row with { CancelRequested = true }).Cut().Claim().MoveTo(JobState.Cancelled));

    [Fact]
    public void C7_a_cancel_that_is_overtaken() => Breaks("C7", "ended as succeeded", play =>
    {
        var job = play.Submit(4).Claim();
        play.Call(Operation.Cancel, Phase.Ok, job.Id);
        job.Do(1, 2, 3, 4).Succeed(4);
    });

    [Fact]
    public void C7_a_claim_after_the_cancel() => Breaks("C7", "was claimed 2.", play =>
    {
        var job = play.Submit(4);
        play.Call(Operation.Cancel, Phase.Ok, job.Id);
        play.Wait(2);
        job.Claim().MoveTo(JobState.Cancelled);
    });

    [Fact]
    public void C7_a_run_that_begins_after_the_cancel() => Breaks("C7", "began 2.", play =>
    {
        var job = play.Submit(4).ClaimOnly();
        play.Call(Operation.Cancel, Phase.Ok, job.Id);
        play.Wait(2);
        job.Note(LedgerMark.Begin, 0).MoveTo(JobState.Cancelled);
    });

    [Fact]
    public void C8_a_job_that_goes_back_to_running() => Breaks("C8", ", after succeeded (version ", play =>
    {
        var job = play.Submit(4).Finish();
        play.Show(job, JobState.Succeeded, write: 3);
        play.Show(job, JobState.Running, write: 2);
        play.Show(job, JobState.Succeeded, write: 3);
    });

    [Fact]
    public void C8_a_job_that_goes_back_between_two_checkpoints_and_its_claim() => Breaks("C8", ", after running (version 4294967295)", play =>
    {
        var job = play.Submit(4).Finish();
        play.Show(job, JobState.Running); // a checkpoint, which is no write that the witness knows
        play.Show(job, JobState.Queued, write: 1);
    });

    [Fact]
    public void C8_a_state_that_its_version_never_had() => Breaks("C8", "that write had left it running", play => play.Show(play.Submit(4).Finish(), JobState.Succeeded, write: 2));

    [Fact]
    public void C8_a_state_that_was_over_long_ago() => Breaks("C8", "more than 15 s after", play =>
    {
        var job = play.Submit(4).Finish();
        play.Wait(16);
        play.Show(job, JobState.Running, write: 2);
    });

    [Fact]
    public void C8_holds_for_each_observer_alone_and_through_a_retry()
    {
        var play = new Play();
        var job = play.Submit(4).Claim().Fail();
        play.Show(job, JobState.Failed, write: 3, observer: "one");
        play.Show(job, JobState.Running, write: 2, observer: "other");
        play.Call(Operation.Retry, Phase.Ok, job.Id);
        job.MoveTo(JobState.Queued);
        play.Show(job, JobState.Queued, write: 4, observer: "one");
        job.Finish();
        play.Show(job, JobState.Running, observer: "one");
        play.Show(job, JobState.Succeeded, write: 6, observer: "one");
        Assert.DoesNotContain(play.Judged().Broken, broken => broken.Rule == "C8");
    }

    [Fact]
    public void C10_a_depth_that_the_table_never_had() => Breaks("C10", "27 at 12:00:12.", play =>
    {
        var jobs = Enumerable.Range(0, 30).Select(_ => play.Submit(4)).ToArray();
        play.Wait(11);
        play.Look(table: (30, 0, 0), shown: (30, 0, 0));
        play.Look(table: (30, 0, 0), shown: (27, 0, 0));
        Array.ForEach(jobs, job => job.Finish());
        play.Wait(10);
        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
    });

    [Theory]
    [InlineData(false, 3)] // a figure of two ticks before is too old
    [InlineData(true, 5)] // around a fault it may be as old as figures are shown
    public void C10_a_depth_that_is_older_than_it_may_be(bool struck, int seconds) => Breaks("C10", "wrong number of ready jobs in default", play =>
    {
        var jobs = Enumerable.Range(0, 3).Select(_ => play.Submit(4)).ToArray();
        play.Look(table: (3, 0, 0), shown: (3, 0, 0));
        Array.ForEach(jobs, job => job.Finish());
        if (struck)
        {
            play.Strike("freeze PostgreSQL", seconds: seconds - 2);
            play.Look(table: (0, 0, 0), shown: (3, 0, 0)); // this one may be
        }

        play.Wait(struck ? 1 : seconds);
        play.Look(table: (0, 0, 0), shown: (3, 0, 0));
        play.Wait(10);
        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
    });

    [Fact]
    public void C10_counts_that_are_not_what_is_left_at_the_end() => Breaks("C10", "1 times: 1 at", play =>
    {
        play.Submit(4).Finish();
        play.Wait(10);
        play.Look(table: (0, 0, 0), shown: (0, 1, 0));
    });

    [Fact]
    public void C10_a_zero_while_nobody_can_know() => Breaks("C10", "although PostgreSQL had not answered", play =>
    {
        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
        for (var second = 0; second < 8; second++)
        {
            play.Wait(1);
            play.Look(table: null, shown: (0, 0, 0));
        }

        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
    });

    [Theory]
    [InlineData(0.9, false)] // the API may have read just before the first reading that failed
    [InlineData(0.1, true)]
    public void C10_a_depth_read_after_the_last_successful_reading(double silentAfter, bool breaks)
    {
        void Show(Play play)
        {
            play.Look(table: (0, 0, 0), shown: (0, 0, 0));
            play.Strike("freeze PostgreSQL", silentAfter);
            play.Look(table: null, shown: (0, 0, 0));
            play.Strike("freeze PostgreSQL", 3.05 - silentAfter);
            play.Look(table: null, shown: (0, 0, 0));
            play.Wait(2);
            play.Look(table: (0, 0, 0), shown: (0, 0, 0));
        }

        BreaksIf(breaks, "C10", "although PostgreSQL had not answered", Show);
    }

    [Theory]
    [InlineData(20.0, 20.0, false)]
    [InlineData(20.0, 19.0, false)] // as it was a tick ago
    [InlineData(20.0, 17.0, true)]
    [InlineData(20.0, 22.0, true)]
    [InlineData(20.0, 0.0, true)]
    [InlineData(null, 0.0, false)]
    [InlineData(null, 5.0, true)]
    public void C10_an_age_of_the_oldest_job_that_it_does_not_have(double? age, double shown, bool breaks)
    {
        void Show(Play play)
        {
            var job = age is null ? null : play.Submit(4);
            var at = play.Now;
            var jobs = (age is null ? 0L : 1, 0L, 0L);
            for (var second = 0; second < 30; second++)
            {
                var now = (play.Now - at).TotalSeconds;
                play.Look(jobs, jobs, age is null ? null : at, second == 20 ? shown : age is null ? 0 : now);
                play.Wait(1 - (play.Now - at).TotalSeconds + second);
            }

            job?.Finish();
        }

        BreaksIf(breaks, "C10", "showed a wrong age of the oldest ready job 1 times", Show);
    }

    [Fact]
    public void C10_a_depth_that_stays_away() => Breaks("C10", "showed no depth", play =>
    {
        play.Look(table: (0, 0, 0), shown: (0, 0, 0));
        play.Wait(10);
        play.Look(table: (0, 0, 0), shown: null);
    });

    [Theory]
    [InlineData(503, "ready", 1.0, true, "was ready and answered 503")]
    [InlineData(200, "draining", 1.0, true, "was draining and answered 200")]
    [InlineData(200, "ready", 301.0, true, "ready with a drain time over its limit")]
    [InlineData(200, "backlogged", 299.0, true, "backlogged without a drain time over its limit")]
    [InlineData(200, "backlogged", null, false, "backlogged without a drain time over its limit")]
    [InlineData(200, "ready", 1.0, false, "did not know the depth and showed one")]
    [InlineData(200, "ready", null, true, "knew the depth and did not show it")]
    public void C10_a_readiness_that_does_not_agree(int code, string status, double? drainSeconds, bool knowsDepth, string said) => Breaks("C10", said, play =>
    {
        var jobs = Enumerable.Range(0, 3).Select(_ => play.Submit(4)).ToArray();
        play.Ask(200, "ready", 3);
        play.Ask(200, "backlogged", 301);
        play.Ask(503, "disconnected", null, knowsDepth: false);
        play.Ask(code, status, drainSeconds, knowsDepth);
        play.Ask(200, "ready", 3);
        Array.ForEach(jobs, job => job.Finish());
    });

    [Fact]
    public void C11_a_failure_without_a_code() => Breaks("C11", "without an error code", play => play.Submit(4).Claim().Fail(code: null));

    [Fact]
    public void C11_a_refused_message_that_nobody_sent_to_be() => Breaks("C11", "3 messages were refused, and only 2", play =>
    {
        play.Options = play.Options with { MalformedMessages = 2 };
        play.Queues.AddRange([new("qs.other_error", 1, 0), new("qs.other_skipped", 2, 0)]);
    });

    [Fact]
    public void C12_more_than_one_in_a_hundred_jobs_too_late() => Breaks("C12", "150 jobs remained, and 2", play =>
    {
        var jobs = Enumerable.Range(0, 150).Select(_ => play.Submit(4)).ToArray();
        play.Strike("kill worker");
        Array.ForEach(jobs[2..], job => job.Finish());
        play.Wait(60);
        Array.ForEach(jobs[..2], job => job.Finish());
    });

    [Fact]
    public void C12_a_process_that_ended_unasked() => Breaks("C12", "api-1 ended unasked", play =>
        play.AfterDrain = new AfterDrain { At = play.Now, Queues = play.Queues, StartedByHand = [new(play.Now, "api-1", "exit code 134 after no signal")] });

    [Fact]
    public void P3_a_worker_taken_for_dead_without_a_fault() => Breaks("P3", "no fault was near", play =>
    {
        play.Options = play.Options with { DeathsWithin = TimeSpan.FromSeconds(10) };
        play.Strike("kill worker");
        play.Submit(4).Claim().Do(1).Cut().Claim().Do(2, 3, 4).Succeed(4); // this one is explained
        play.Wait(30);
        play.Submit(4).Claim().Do(1).Cut().Claim().Do(2, 3, 4).Succeed(4);
    });

    [Fact]
    public void P5_a_hand_over_that_takes_too_long() => Breaks("P5", "this one took 6.0", play =>
    {
        play.Options = play.Options with { HandOverBounds = new Dictionary<string, TimeSpan> { ["kill worker"] = TimeSpan.FromSeconds(5) } };
        var job = play.Submit(4).Claim().Do(1);
        play.Strike("kill worker");
        play.Wait(6);
        job.Cut(cutSecondsAgo: 6).Claim().Do(2, 3, 4).Succeed(4);
    });

    [Fact]
    public void A_fault_that_hit_too_few_jobs() => Breaks("hits", "49 jobs", play => play.Strike("kill worker", jobsHit: 49));

    private static void BreaksIf(bool breaks, string rule, string saying, Action<Play> story)
    {
        if (breaks)
        {
            Breaks(rule, saying, story);
            return;
        }

        var play = new Play();
        story(play);
        Assert.True(play.Judged().Passed, play.Judged().Report());
    }

    private static void Breaks(string rule, string saying, Action<Play> spoil)
    {
        var play = new Play();
        for (var other = 0; other < 3; other++)
        {
            play.Submit(4).Finish();
        }

        Assert.Empty(play.Judged().Broken);
        spoil(play);
        var broken = play.Judged().Broken;
        Assert.Contains(broken, found => found.What.Contains(saying, StringComparison.Ordinal));
        Assert.All(broken, found => Assert.Equal(rule, found.Rule));
        Assert.Single(broken.Select(found => found.Job).Distinct());
    }
}
