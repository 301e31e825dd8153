using Microsoft.Extensions.DependencyInjection;
using QueueScale.Store;
using QueueScale.TestWorker;
using QueueScale.Worker;

// A worker with the built-in job types and some that are hard to live with. TEST_WORKER_SEAMS takes protections out, so that a test can see what each is for.
var seams = (Environment.GetEnvironmentVariable("TEST_WORKER_SEAMS") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
return await QueueScaleWorker.RunAsync(
    args,
    worker => worker
        .AddBuiltIn()
        .Add<Stubborn>()
        .Add<Swallower>()
        .Add<Steps>()
        .Add<DeafStep>()
        .Add<LastState>()
        .Add<Reporter>()
        .Add<Glutton>()
        .Add<Overflow>()
        .Add<Thrower>(),
    services =>
    {
        foreach (var seam in seams)
        {
            _ = seam switch
            {
                "fence off" => services.AddSingleton<Completions, UnfencedCompletions>(),
                "checkpoints answered before they are durable" => services.AddSingleton<Checkpoints, EarlyCheckpoints>(),
                "acknowledged before the claim" => services.AddSingleton<Intake, EarlyIntake>(),
                "own clock" => services.AddSingleton<Func<Database, PulseConnection>>(database => new OwnClockPulses(database)),
                "endless prefetch" => services.AddSingleton<IntakeLimits, EndlessLimits>(),
                _ => throw new ArgumentException($"TEST_WORKER_SEAMS names '{seam}', which this program does not know."),
            };
        }
    });
