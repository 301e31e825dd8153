using QueueScale.Contracts;

namespace QueueScale.Faults;

/// <summary>What bad handlers do to the jobs beside them.</summary>
internal static class Neighbours
{
    /// <summary>What a process ends with after an overflow of its stack, which .NET lets nobody catch.</summary>
    private const int Aborted = 128 + 6;

    /// <summary>Bad handlers and fifteen long jobs in one worker.</summary>
    public static async Task<IReadOnlyList<Measured>> OfBadHandlersAsync(Aim aim)
    {
        await aim.StartApiAsync();
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        aim.Ground.OwnEnds.Add(Aborted);
        return
        [
            await BesideAsync(aim, "a handler that ignores every request to stop", 1, Submissions.Of("test.stubborn", new { seconds = 20 }) with { Timeout = "PT1S" }),
            await BesideAsync(aim, "45 handlers that block the thread pool", 45, Submissions.Of("test.stubborn", new { seconds = 5 }) with { Timeout = "PT1M" }),
            await BesideAsync(aim, "a handler that kills its process", 1, Submissions.Of("probe.crash", new { times = 99 })),
            await BesideAsync(aim, "a handler that overflows its stack", 1, Submissions.Of("test.overflow")),
        ];
    }

    /// <summary>A handler that takes memory until the kernel kills its process, and fifteen long jobs in that.</summary>
    public static async Task<IReadOnlyList<Measured>> OfAGluttonAsync(Aim aim)
    {
        await aim.StartApiAsync();
        await using var limit = await MemoryLimit.CreateAsync(512 << 20);
        await using var worker = await aim.Ground.StartWorkerAsync("worker-limited", new HostPlace("127.0.0.1", limit.Prefix), Measurement.UsualLease);
        var measured = await BesideAsync(aim, "a handler that takes memory until its process is killed", 1, Submissions.Of("test.glutton"));
        return [measured, new("processes that the kernel killed for it", $"{limit.Killed}", "3: then the job has failed", limit.Killed == 3)];
    }

    private static async Task<Measured> BesideAsync(Aim aim, string what, int count, SubmitJob bad)
    {
        await aim.SubmitAsync(15, aim.Steps(100, milliseconds: 100));
        await aim.UntilRunningAsync(15);
        await Task.Delay(Measurement.Watched);
        await aim.SubmitAsync(count, new Kind("bad", 0, () => bad with { MaxAttempts = 1 }));
        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(2));
        var well = await aim.Ground.ScalarAsync<long>("select count(*) from jobs where type = 'test.steps' and state = 5");
        await aim.Ground.ExecuteAsync("truncate jobs, runs, queue_counts");
        return new($"neighbours of {what}", $"{well} of 15 succeeded", "15", well == 15);
    }

    /// <summary>A thousand jobs whose workers are killed ten times.</summary>
    public static async Task<IReadOnlyList<Measured>> UnderKillRoundsAsync(Aim aim)
    {
        await aim.StartApiAsync();
        for (var i = 0; i < 2; i++)
        {
            await aim.StartWorkerAsync("", Measurement.UsualLease, ("Worker__Slots", "500"));
        }

        await aim.SubmitAsync(1000, aim.Steps(120, milliseconds: 500));
        for (var round = 0; round < 10; round++)
        {
            await Task.Delay(TimeSpan.FromSeconds(8));
            aim.Ground.Workers.ForEach(worker => worker.Signal(Signal.Kill));
        }

        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(5));
        var failed = await aim.Ground.ScalarAsync<long>("select count(*) from jobs where state <> 5");
        var crashes = await aim.Ground.ScalarAsync<long>("select sum(crashes)::bigint from jobs");
        return [new("of 1,000 checkpointing jobs under 10 rounds of kill -9 of all workers failed", $"{failed} ({crashes} crashes counted)", "0", failed == 0)];
    }
}
