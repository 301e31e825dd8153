using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

public sealed class JobHarnessTests
{
    [Fact]
    public async Task An_undisturbed_run_shows_its_result_its_checkpoints_and_its_progress()
    {
        var job = await JobHarness.For(() => new Sum()).RunAsync(new SumTo(3));

        Assert.Equal(6, job.Result.Total);
        Assert.Equal("""{"total":6}""", job.ResultJson);
        Assert.Equal([new SumAt(1, 1), new SumAt(2, 3), new SumAt(3, 6)], job.Checkpoints.Select(at => at.As<SumAt>()));
        Assert.Equal(new JobProgress(3, 4, 75, "adding"), job.Progress[^1]);
        Assert.Equal(1, job.Runs);
    }

    [Fact]
    public async Task A_job_that_keeps_all_it_needs_in_its_checkpoints_ends_the_same_wherever_it_is_interrupted() =>
        Assert.Equal(15, (await JobHarness.For(() => new Sum()).InterruptEverywhere(new SumTo(5))).Result.Total);

    [Fact]
    public async Task An_interrupted_job_goes_on_in_a_new_handler_with_the_next_epoch_in_the_same_attempt()
    {
        var runs = new List<(int Epoch, int Attempt)>();
        var handlers = 0;
        var harness = JobHarness.For(() =>
        {
            handlers++;
            return new Steps(async (run, _) =>
            {
                runs.Add((run.Epoch, run.Attempt));
                for (var at = run.Checkpoint<int>(); at < 4;) await run.CheckpointAsync(++at);
                return "done";
            });
        });
        (harness.Epoch, harness.Attempt) = (7, 2);

        var job = await harness.RunAsync(new Nothing(), [new(1, InterruptionKind.Stop), new(3, InterruptionKind.KillBeforeSave), new(5, InterruptionKind.KillAfterSave)]);

        Assert.Equal([(7, 2), (8, 2), (9, 2), (10, 2)], runs);
        Assert.Equal(4, handlers);
        Assert.Equal(4, job.Runs);
        Assert.Equal(["1", "2", "3", "4"], job.Checkpoints.Select(at => at.Json));
    }

    [Fact]
    public async Task A_sum_that_is_not_in_the_checkpoint_is_found()
    {
        var failure = await FoundAsync(async (run, _, _) =>
        {
            var sum = 0;
            for (var at = run.Checkpoint<int>(); at < 3; await run.CheckpointAsync(at)) sum += ++at;
            return $"{sum}";
        });

        Assert.StartsWith("Stopped at checkpoint 1, the job ended with another result than undisturbed.", failure.Message, StringComparison.Ordinal);
        Assert.Contains("undisturbed: \"6\"", failure.Message, StringComparison.Ordinal);
        Assert.Contains("interrupted: \"5\"", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_effect_before_its_checkpoint_that_happens_twice_is_found()
    {
        var failure = await FoundAsync(async (run, effects, _) =>
        {
            for (var at = run.Checkpoint<int>(); at < 2; await run.CheckpointAsync(at)) effects.Add(++at);
            return "done";
        });

        Assert.StartsWith("Killed just before checkpoint 1 was saved, the job left other effects behind than undisturbed.", failure.Message, StringComparison.Ordinal);
        Assert.Contains("undisturbed: [1,2]", failure.Message, StringComparison.Ordinal);
        Assert.Contains("interrupted: [1,1,2]", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_effect_behind_its_checkpoint_that_a_kill_loses_is_found()
    {
        var failure = await FoundAsync(async (run, effects, _) =>
        {
            for (var at = run.Checkpoint<int>(); at < 2;)
            {
                try
                {
                    await run.CheckpointAsync(++at);
                }
                catch (RunStopped)
                {
                    effects.Add(at);
                    throw;
                }

                effects.Add(at);
            }

            return "done";
        });

        Assert.StartsWith("Killed just after checkpoint 1 was saved", failure.Message, StringComparison.Ordinal);
        Assert.Contains("interrupted: [2]", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_swallows_RunStopped_is_found()
    {
        var failure = await FoundAsync(async (run, _, _) =>
        {
            try
            {
                await run.CheckpointAsync(1);
            }
            catch (Exception)
            {
            }

            return "done";
        });

        Assert.StartsWith("Stopped at checkpoint 1, the handler returned a result instead of letting RunStopped pass.", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_turns_RunStopped_into_another_exception_is_found()
    {
        var failure = await FoundAsync(async (run, _, _) =>
        {
            try
            {
                await run.CheckpointAsync(1);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException("It went wrong.", error);
            }

            return "done";
        });

        Assert.Contains("the handler threw InvalidOperationException (It went wrong.) instead of letting RunStopped pass", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_handler_that_swallows_RunStopped_and_never_ends_is_found()
    {
        var harness = JobHarness.For(() => new Steps(async (run, stop) =>
        {
            try
            {
                await run.CheckpointAsync(1);
            }
            catch (RunStopped)
            {
                await Task.Delay(Timeout.Infinite, stop);
            }

            return "done";
        }));
        harness.EndsWithin = TimeSpan.FromMilliseconds(100);

        var failure = await Assert.ThrowsAsync<JobHarnessException>(() => harness.InterruptEverywhere(new Nothing()));

        Assert.StartsWith("Stopped at checkpoint 1, the handler still ran 0.1 s later.", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_killed_handler_does_or_returns_counts_for_nothing()
    {
        var harness = JobHarness.For(() => new Steps(async (run, _) =>
        {
            try
            {
                await run.CheckpointAsync(run.Checkpoint<int>() + 1);
            }
            catch (Exception error) when (error is not RunStopped)
            {
                try { await run.CheckpointAsync(100); } catch (Exception refused) when (refused is not RunStopped) { }

                return "what nobody sees";
            }

            return "done";
        }));

        var job = await harness.RunAsync(new Nothing(), [new(1, InterruptionKind.KillAfterSave), new(2, InterruptionKind.KillBeforeSave)]);

        Assert.Equal("done", job.Result);
        Assert.Equal(["1", "2"], job.Checkpoints.Select(at => at.Json));
    }

    [Fact]
    public async Task A_job_that_fails_only_when_it_goes_on_is_found()
    {
        var failure = await FoundAsync(async (run, _, _) =>
        {
            if (run.Checkpoint<int>() > 0) throw new FormatException("No way back.");
            await run.CheckpointAsync(1);
            return "done";
        });

        Assert.StartsWith(
            "Stopped at checkpoint 1, the job failed when it went on, while undisturbed it succeeds. FormatException: No way back.", failure.Message, StringComparison.Ordinal);
        Assert.IsType<FormatException>(failure.InnerException);
    }

    [Fact]
    public async Task A_job_without_checkpoints_cannot_be_interrupted_and_is_told_so() =>
        Assert.Contains("nothing to interrupt", (await FoundAsync((_, _, _) => Task.FromResult("done"))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_checkpoint_that_is_not_due_is_saved_only_by_a_polite_stop()
    {
        var answers = new List<bool>();
        var harness = JobHarness.For(() => new Steps(async (run, _) =>
        {
            for (var at = run.Checkpoint<int>(); at < 5;) answers.Add(await run.CheckpointAsync(++at, TimeSpan.FromSeconds(at)));
            return "done";
        }));
        harness.Due = every => every > TimeSpan.FromSeconds(4);

        var job = await harness.RunAsync(new Nothing(), [new(2, InterruptionKind.Stop), new(4, InterruptionKind.KillAfterSave)]);

        Assert.Equal(["2", "5"], job.Checkpoints.Select(at => at.Json));
        Assert.Equal([false, false, false, false, true], answers); // 1 | 3 | 3, 4, 5
    }

    [Fact]
    public async Task A_stored_checkpoint_of_an_older_version_can_be_given_and_one_that_does_not_fit_is_unreadable()
    {
        var harness = JobHarness.For(() => new Sum());

        harness.From = new SumAt(2, 100);
        Assert.Equal(103, (await harness.RunAsync(new SumTo(3))).Result.Total);

        harness.From = """{"number": 2}""";
        await Assert.ThrowsAsync<CheckpointUnreadable>(() => harness.RunAsync(new SumTo(3)));
    }

    [Fact]
    public async Task What_the_handler_throws_undisturbed_comes_out_as_it_is()
    {
        var failed = await Assert.ThrowsAsync<JobFailed>(() => JobHarness.For(() => new Steps((_, _) => throw new JobFailed("No.", "no"))).RunAsync(new Nothing()));
        Assert.Equal("no", failed.Code);
    }

    [Fact]
    public async Task The_callers_token_fires_stop()
    {
        using var stop = new CancellationTokenSource();
        var running = new TaskCompletionSource();
        var job = JobHarness.For(() => new Steps(async (_, token) =>
        {
            running.SetResult();
            await Task.Delay(Timeout.Infinite, token);
            return "";
        })).RunAsync(new Nothing(), stop.Token);

        await running.Task;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => job);
    }

    [Fact]
    public async Task What_cannot_be_stored_is_named()
    {
        var input = await Assert.ThrowsAsync<JobHarnessException>(() => JobHarness.For(() => new TakesAnything()).RunAsync(new Anything(typeof(string))));
        Assert.StartsWith("The input, a QueueScale.Jobs.Tests.JobHarnessTests+Anything, cannot be written as JSON", input.Message, StringComparison.Ordinal);

        var oneWay = await Assert.ThrowsAsync<JobHarnessException>(() => JobHarness.For(() => new TakesOneWay()).RunAsync(new OneWay(1)));
        Assert.StartsWith("The input does not come back from JSON", oneWay.Message, StringComparison.Ordinal);

        var large = await Assert.ThrowsAsync<JobHarnessException>(() => JobHarness.For(() => new Steps(async (run, _) =>
        {
            await run.CheckpointAsync(new string('x', 300_000));
            return "";
        })).RunAsync(new Nothing()));
        Assert.StartsWith("The checkpoint takes 300,002 bytes as JSON and may take 262,144.", large.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_that_is_not_awaited_is_found()
    {
        var gate = new TaskCompletionSource();
        await using var never = new NeverOpens(gate.Task);
        var failure = await Assert.ThrowsAsync<JobHarnessException>(() => JobHarness.For(() => new Steps((run, stop) =>
        {
            _ = run.CheckpointAsync(1, _ => Task.CompletedTask);
            return Task.FromResult("done");
        }), never).RunAsync(new Nothing()));
        gate.SetResult();

        Assert.StartsWith("The handler returned while a call of CheckpointAsync was still under way.", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transactional_checkpoint_without_a_database_says_how_to_give_one() =>
        Assert.Contains("JobHarness.For(() => new MyJob(), database, reset)", (await FoundAsync(async (run, _, _) =>
        {
            await run.CheckpointAsync(1, _ => Task.CompletedTask);
            return "done";
        })).Message, StringComparison.Ordinal);

    private static async Task<JobHarnessException> FoundAsync(Func<JobRun, List<int>, CancellationToken, Task<string>> steps)
    {
        var effects = new List<int>();
        var harness = JobHarness.For(() => new Steps((run, stop) => steps(run, effects, stop)), reset: () =>
        {
            effects.Clear();
            return Task.CompletedTask;
        });
        return await Assert.ThrowsAsync<JobHarnessException>(() => harness.InterruptEverywhere(new Nothing(), effects: () => Task.FromResult<object?>(effects)));
    }

    private sealed record Nothing;

    private sealed record Anything(object Value);

    private sealed class OneWay(int half)
    {
        public int Whole => 2 * half;
    }

    private sealed record SumTo(int Last);

    private sealed record SumAt(int Number, int Total);

    private sealed record SumResult(int Total);

    private sealed class Sum : IJob<SumTo, SumResult>
    {
        public async Task<SumResult> RunAsync(SumTo input, JobRun run, CancellationToken stop)
        {
            var at = run.Checkpoint<SumAt>() ?? new SumAt(0, 0);
            while (at.Number < input.Last)
            {
                at = new SumAt(at.Number + 1, at.Total + at.Number + 1);
                await run.CheckpointAsync(at);
                run.Progress(at.Number, input.Last + 1, "adding");
            }

            return new SumResult(at.Total);
        }
    }

    private sealed class Steps(Func<JobRun, CancellationToken, Task<string>> steps) : IJob<Nothing, string>
    {
        public Task<string> RunAsync(Nothing input, JobRun run, CancellationToken stop) => steps(run, stop);
    }

    private sealed class TakesAnything : IJob<Anything, string>
    {
        public Task<string> RunAsync(Anything input, JobRun run, CancellationToken stop) => Task.FromResult("");
    }

    private sealed class TakesOneWay : IJob<OneWay, string>
    {
        public Task<string> RunAsync(OneWay input, JobRun run, CancellationToken stop) => Task.FromResult("");
    }

    private sealed class NeverOpens(Task gate) : System.Data.Common.DbDataSource
    {
        public override string ConnectionString => "";

        protected override System.Data.Common.DbConnection CreateDbConnection() => throw new NotSupportedException();

        protected override async ValueTask<System.Data.Common.DbConnection> OpenDbConnectionAsync(CancellationToken cancellationToken = default)
        {
            await gate;
            throw new NotSupportedException();
        }
    }
}
