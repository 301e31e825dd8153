using System.Runtime.InteropServices;
using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.TestWorker;

public sealed record Nothing;

/// <summary>Blocks its thread and ignores every request to stop.</summary>
[JobType("test.stubborn", Timeout = "00:00:01")]
public sealed class Stubborn : IJob<StubbornInput, Nothing>
{
    public Task<Nothing> RunAsync(StubbornInput input, JobRun run, CancellationToken stop)
    {
        Thread.Sleep(TimeSpan.FromSeconds(input.Seconds));
        return Task.FromResult(new Nothing());
    }
}

public sealed record StubbornInput(double Seconds);

/// <summary>Swallows the exception that asks it to stop, and goes on until its token fires.</summary>
[JobType("test.swallower")]
public sealed class Swallower : IJob<Nothing, Nothing>
{
    public async Task<Nothing> RunAsync(Nothing input, JobRun run, CancellationToken stop)
    {
        for (var step = run.Checkpoint<int>() + 1; ; step++)
        {
            try
            {
                await run.CheckpointAsync(step);
            }
            catch (RunStopped)
            {
            }

            await Task.Delay(50, stop);
        }
    }
}

/// <summary>Notes each step in an effect ledger outside of PostgreSQL, and saves a checkpoint after it: what really happened, and in which run.</summary>
[JobType("test.steps", MaxAttempts = 5)]
public sealed class Steps : IJob<StepsInput, int>
{
    public async Task<int> RunAsync(StepsInput input, JobRun run, CancellationToken stop)
    {
        var done = run.Checkpoint<int>();
        EffectLedger.Begin(input.Ledger, run.JobId, run.Epoch, done);
        while (done < input.Steps)
        {
            EffectLedger.Step(input.Ledger, run.JobId, run.Epoch, done + 1);
            await Task.Delay(input.Milliseconds, stop);
            await run.CheckpointAsync(++done);
            EffectLedger.Saved(input.Ledger, run.JobId, run.Epoch, done);
        }

        EffectLedger.End(input.Ledger, run.JobId, run.Epoch, done);
        return done;
    }
}

public sealed record StepsInput(string Ledger, int Steps, int Milliseconds);

/// <summary>One long step that nothing stops, so that its end comes late wherever its worker was frozen.</summary>
[JobType("test.deaf-step")]
public sealed class DeafStep : IJob<StepsInput, int>
{
    public async Task<int> RunAsync(StepsInput input, JobRun run, CancellationToken stop)
    {
        EffectLedger.Begin(input.Ledger, run.JobId, run.Epoch, 0);
        EffectLedger.Step(input.Ledger, run.JobId, run.Epoch, 1);
        await Task.Delay(input.Milliseconds, CancellationToken.None);
        EffectLedger.End(input.Ledger, run.JobId, run.Epoch, 1);
        return 1;
    }
}

/// <summary>Saves every ten seconds at most, so that only the state kept for the put-back carries it on.</summary>
[JobType("test.last-state")]
public sealed class LastState : IJob<Nothing, int>
{
    public async Task<int> RunAsync(Nothing input, JobRun run, CancellationToken stop)
    {
        var from = run.Checkpoint<int>();
        if (from > 0)
        {
            return from;
        }

        for (var step = 1; ; step++)
        {
            await run.CheckpointAsync(step, every: TimeSpan.FromHours(1));
            await Task.Delay(20, stop);
        }
    }
}

/// <summary>Takes memory until somebody ends it.</summary>
[JobType("test.glutton")]
public sealed class Glutton : IJob<Nothing, Nothing>
{
    public async Task<Nothing> RunAsync(Nothing input, JobRun run, CancellationToken stop)
    {
        const int Piece = 16 << 20;
        while (true)
        {
            var taken = Marshal.AllocHGlobal(Piece);
            for (var page = 0; page < Piece; page += 4096)
            {
                Marshal.WriteByte(taken, page, 1);
            }

            await Task.Delay(20, stop);
        }
    }
}

/// <summary>Calls itself until its process ends.</summary>
[JobType("test.overflow")]
public sealed class Overflow : IJob<Nothing, int>
{
    public Task<int> RunAsync(Nothing input, JobRun run, CancellationToken stop) => Task.FromResult(Deeper(0));

    private static int Deeper(int depth) => depth == int.MaxValue ? depth : Deeper(depth + 1) + 1;
}

/// <summary>Reports its progress once, long before it ends.</summary>
[JobType("test.reporter")]
public sealed class Reporter : IJob<Nothing, int>
{
    public async Task<int> RunAsync(Nothing input, JobRun run, CancellationToken stop)
    {
        run.Progress(3, 3);
        await Task.Delay(TimeSpan.FromSeconds(5), stop);
        return 3;
    }
}

/// <summary>Fails in the ways that its input names.</summary>
[JobType("test.thrower", MaxAttempts = 2)]
public sealed class Thrower : IJob<ThrowerInput, string>
{
    public Task<string> RunAsync(ThrowerInput input, JobRun run, CancellationToken stop) => input.How switch
    {
        "give up" => throw new JobFailed("There is nothing to be done.", "hopeless"),
        "later" when run.Epoch < 3 => throw new RetryLater(TimeSpan.FromMilliseconds(300)),
        "nul in message" => throw new InvalidOperationException("a\0b" + new string('x', 5_000_000)),
        "nul in result" => Task.FromResult("a\0b"),
        "huge result" => Task.FromResult(new string('x', 300_000)),
        "huge checkpoint" => SaveAsync(run, new string('x', 300_000)),
        "nul in checkpoint" => SaveAsync(run, "a\0b"),
        "unreadable checkpoint" => run.Epoch == 1 ? SaveAsync(run, "no time") : Task.FromResult($"{run.Checkpoint<DateTime>()}"),
        _ => Task.FromResult($"attempt {run.Attempt}, run {run.Epoch}"),
    };

    private static async Task<string> SaveAsync(JobRun run, string state)
    {
        await run.CheckpointAsync(state);
        throw new InvalidOperationException("The checkpoint was saved.");
    }
}

public sealed record ThrowerInput(string How);
