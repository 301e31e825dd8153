using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Nodes;
using QueueScale.Contracts;

namespace QueueScale.Testing;

/// <summary>Runs a job type in a unit test without any server.</summary>
/// <example>
/// <code>
/// var harness = JobHarness.For(() => new ResizeImages(store));
/// var job = await harness.InterruptEverywhere(new ResizeInput("holiday"));
/// Assert.Equal(12, job.Result.Images);
/// </code>
/// </example>
public static class JobHarness
{
    /// <summary>A harness for one job type.</summary>
    /// <param name="handler">Makes the handler. Asked once for each run, as a worker does, so that nothing is carried over in its fields.</param>
    /// <param name="database">Where the job's transactional checkpoints commit; not needed by a job without them.</param>
    /// <param name="reset">Puts everything that the job changes outside its checkpoints back to where it was before the job. Called before each round
    /// of <see cref="JobHarness{TInput,TResult}.InterruptEverywhere"/>.</param>
    public static JobHarness<TInput, TResult> For<TInput, TResult>(
        Func<IJob<TInput, TResult>> handler, DbDataSource? database = null, Func<Task>? reset = null) => new(handler, database, reset);
}

/// <summary>Runs one job type in a unit test. Made by <see cref="JobHarness.For"/>.</summary>
public sealed class JobHarness<TInput, TResult>
{
    private static readonly InterruptionKind[] Kinds = Enum.GetValues<InterruptionKind>();

    private readonly Func<IJob<TInput, TResult>> handler;
    private readonly DbDataSource? database;
    private readonly Func<Task>? reset;

    internal JobHarness(Func<IJob<TInput, TResult>> handler, DbDataSource? database, Func<Task>? reset)
    {
        ArgumentNullException.ThrowIfNull(handler);
        (this.handler, this.database, this.reset) = (handler, database, reset);
    }

    /// <summary>Whether a checkpoint with <c>every</c> is due. By default each one is, so that each is a place to go on from; answer by your own
    /// clock, or <c>_ => false</c> to see what a kill costs at worst. A polite stop saves in any case.</summary>
    public Func<TimeSpan, bool> Due { get; set; } = static _ => true;

    /// <summary>Whose job it is. Default <c>default</c>.</summary>
    public string Tenant { get; set; } = TenantName.First;

    /// <summary>The attempt that the run sees. Default 1.</summary>
    public int Attempt { get; set; } = 1;

    /// <summary>The epoch of the first run. Default 1; each interruption adds 1.</summary>
    public int Epoch { get; set; } = 1;

    /// <summary>The checkpoint that the first run begins from, as an object or as a string of JSON: one that an older version of the job type saved,
    /// say. Default none.</summary>
    public object? From { get; set; }

    /// <summary>How long a handler may take to end once it was interrupted. Default 10 seconds.</summary>
    public TimeSpan EndsWithin { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Runs the job undisturbed. What the handler throws comes out as it is.</summary>
    /// <param name="input">Written as JSON and read back before the handler gets it, as on the way through the API.</param>
    /// <param name="stop">Fires the handler's <c>stop</c>.</param>
    public Task<HarnessResult<TResult>> RunAsync(TInput input, CancellationToken stop = default) => RunAsync(input, [], stop);

    /// <summary>Runs the job, interrupts it where asked, and lets a new run go on from the last checkpoint each time until the job ends.</summary>
    /// <param name="input">Written as JSON and read back before the handler gets it, as on the way through the API.</param>
    /// <param name="interruptions">Where and how. A number that the job never reaches does nothing.</param>
    /// <param name="stop">Fires the handler's <c>stop</c>.</param>
    /// <exception cref="JobHarnessException">The handler did not end as an interrupted run must.</exception>
    public async Task<HarnessResult<TResult>> RunAsync(TInput input, IReadOnlyList<Interruption> interruptions, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(interruptions);
        var stored = StoredJson.Write(input, "input");
        var job = new HarnessJob(interruptions, StoredStart());
        while (true)
        {
            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stop);
            var run = new HarnessRun(job, Tenant, Epoch + job.Runs++, Attempt, database, Due, stopping);
            // On the thread pool, as in a worker: a handler that blocks before its first await is then stopped like any other.
            var ending = Task.Run(() => handler().RunAsync(StoredJson.ReadInput<TInput>(stored), run, stopping.Token), CancellationToken.None);
            await EndAsync(ending, run, stopping);
            if (run.Interrupted is null)
            {
                var result = await ending;
                return new HarnessResult<TResult>(result, StoredJson.Write(result, "result"), job);
            }

            if (run.Interrupted == InterruptionKind.Stop) ThrowUnlessStopped(ending, run);
        }
    }

    /// <summary>Runs the job undisturbed, then again for each of its checkpoints and each <see cref="InterruptionKind"/>, interrupted there and resumed, and
    /// checks that it ends the same every time.</summary>
    /// <param name="input">Small enough for a handful of checkpoints: the job runs three times for each.</param>
    /// <param name="effects">Reads what the job left behind, such as the rows of its table in a fixed order. Compared as JSON, like the result.</param>
    /// <returns>The undisturbed job.</returns>
    /// <exception cref="JobHarnessException">It ended differently, swallowed <see cref="RunStopped"/>, or has no checkpoint. The message names the
    /// checkpoint, the kind of interruption and both ends.</exception>
    public async Task<HarnessResult<TResult>> InterruptEverywhere(TInput input, Func<Task<object?>>? effects = null)
    {
        if (database is not null && reset is null)
        {
            throw new JobHarnessException("A job with a database leaves its rows behind, so each round needs a fresh start. "
                + "Give the harness a reset: JobHarness.For(handler, database, reset: () => ...).");
        }

        var (calm, expected) = await RoundAsync(input, [], effects);
        if (calm.Calls == 0)
        {
            throw new JobHarnessException("The job ended without a call of CheckpointAsync, so there is nothing to interrupt. "
                + "Give it an input that takes several steps, or use RunAsync.");
        }

        for (var call = 1; call <= calm.Calls; call++)
        {
            foreach (var kind in Kinds)
            {
                Outcome outcome;
                try
                {
                    (_, outcome) = await RoundAsync(input, [new Interruption(call, kind)], effects);
                }
                catch (Exception error) when (error is not JobHarnessException)
                {
                    throw new JobHarnessException(
                        $"{Described(kind, call)}, the job failed when it went on, while undisturbed it succeeds. {error.GetType().Name}: {error.Message}",
                        error);
                }

                expected.MustEqual(outcome, Described(kind, call));
            }
        }

        return calm;
    }

    private async Task<(HarnessResult<TResult> Job, Outcome Outcome)> RoundAsync(TInput input, Interruption[] interruptions, Func<Task<object?>>? effects)
    {
        if (reset is not null) await reset();
        var job = await RunAsync(input, interruptions);
        var left = effects is null ? null : JsonSerializer.SerializeToNode(await effects(), JobJson.Options);
        return (job, new Outcome(JsonNode.Parse(job.ResultJson), left));
    }

    /// <summary>Waits for the run; once it was interrupted, not longer than <see cref="EndsWithin"/>.</summary>
    private async Task EndAsync(Task ending, HarnessRun run, CancellationTokenSource stopping)
    {
        await Task.WhenAny(ending, run.Interruption);
        if (run.Interrupted is null && ending.IsCompletedSuccessfully && run.IsSaving)
        {
            throw new JobHarnessException("The handler returned while a call of CheckpointAsync was still under way. Await each one before going on.");
        }

        if (run.Interrupted is null || await Task.WhenAny(ending, Task.Delay(EndsWithin)) == ending) return;
        await stopping.CancelAsync();
        throw new JobHarnessException(
            $"{Described(run)}, the handler still ran {EndsWithin.TotalSeconds:0.###} s later. Let RunStopped pass, and pass `stop` on to whatever waits.");
    }

    private static void ThrowUnlessStopped(Task ending, HarnessRun run)
    {
        var thrown = ending.Exception?.InnerException;
        if (thrown is RunStopped) return;
        var instead = thrown is not null ? $"threw {thrown.GetType().Name} ({thrown.Message})" : ending.IsCanceled ? "was cancelled" : "returned a result";
        throw new JobHarnessException(
            $"{Described(run)}, the handler {instead} instead of letting RunStopped pass. A run ends where it is thrown: catch narrower, or rethrow it.",
            thrown);
    }

    private static string Described(HarnessRun run) => Described(run.Interrupted!.Value, run.InterruptedAt);

    private static string Described(InterruptionKind kind, int call) => kind switch
    {
        InterruptionKind.Stop => $"Stopped at checkpoint {call}",
        InterruptionKind.KillBeforeSave => $"Killed just before checkpoint {call} was saved",
        _ => $"Killed just after checkpoint {call} was saved",
    };

    private string? StoredStart() => From switch
    {
        null => null,
        string json => json,
        var state => JsonSerializer.Serialize(state, state.GetType(), JobJson.Options),
    };
}
