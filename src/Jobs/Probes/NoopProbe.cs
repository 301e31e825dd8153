using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Does nothing: measures what a job costs.</summary>
[JobType("probe.noop")]
public sealed class NoopProbe : IJob<NoopInput, NoopResult>
{
    private static readonly Task<NoopResult> Done = Task.FromResult(new NoopResult());

    public Task<NoopResult> RunAsync(NoopInput input, JobRun run, CancellationToken stop) => Done;
}

/// <summary><c>{}</c>.</summary>
public sealed record NoopInput;

/// <summary><c>{}</c>.</summary>
public sealed record NoopResult;
