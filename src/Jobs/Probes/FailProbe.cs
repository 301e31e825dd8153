using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Fails in its first attempts, then succeeds: shows retries and backoff.</summary>
[JobType("probe.fail")]
public sealed class FailProbe : IJob<FailInput, FailResult>
{
    public Task<FailResult> RunAsync(FailInput input, JobRun run, CancellationToken stop) => run.Attempt > input.Times
        ? Task.FromResult(new FailResult(run.Attempt))
        : throw new InvalidOperationException($"Attempt {run.Attempt} fails because the input asks for {input.Times} failures.");
}

public sealed record FailInput
{
    [Description("How many attempts fail before one succeeds.")]
    [Range(0, 100)]
    public required int Times { get; init; }
}

/// <param name="Attempt">The attempt that succeeded.</param>
public sealed record FailResult(int Attempt);
