using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Kills its own worker process in its first runs, then succeeds: shows how a crash is noticed and a poison job is ended.</summary>
[JobType("probe.crash")]
public sealed class CrashProbe : IJob<CrashInput, CrashResult>
{
    public async Task<CrashResult> RunAsync(CrashInput input, JobRun run, CancellationToken stop)
    {
        if (run.Epoch <= input.Times)
        {
            using var self = Process.GetCurrentProcess();
            self.Kill(); // SIGKILL: nothing is saved and nothing is said, as when the machine's memory ends
            await Task.Delay(Timeout.Infinite, stop);
        }

        return new CrashResult(run.Epoch);
    }
}

public sealed record CrashInput
{
    [Description("How many runs kill their worker before one succeeds.")]
    [Range(0, 100)]
    public required int Times { get; init; }
}

/// <param name="Run">The run that succeeded.</param>
public sealed record CrashResult(int Run);
