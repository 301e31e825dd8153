using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Sleeps in equal steps, with a checkpoint after each: a long job to drain, kill and cancel.</summary>
[JobType("probe.sleep")]
public sealed class SleepProbe : IJob<SleepInput, SleepResult>
{
    public async Task<SleepResult> RunAsync(SleepInput input, JobRun run, CancellationToken stop)
    {
        var step = TimeSpan.FromSeconds(input.Seconds / input.Steps);
        for (var done = run.Checkpoint<int>(); done < input.Steps;)
        {
            await Task.Delay(step, stop);
            await run.CheckpointAsync(++done);
            run.Progress(done, input.Steps);
        }

        return new SleepResult(input.Steps);
    }
}

public sealed record SleepInput
{
    [Description("How long to sleep in all, in seconds.")]
    [Range(0.0, 86_400.0)]
    public required double Seconds { get; init; }

    [Description("Into how many steps to divide it; each ends with a checkpoint.")]
    [Range(1, 100_000)]
    public int Steps { get; init; } = 1;
}

/// <param name="Steps">Steps slept.</param>
public sealed record SleepResult(int Steps);
