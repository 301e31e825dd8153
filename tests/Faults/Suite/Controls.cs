using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>A protection, taken out in the test hosts, and a scenario in which somebody then breaks a rule. With the protection in place the same scenario
/// breaks none. It shows that the checker would see it.</summary>
/// <param name="Name">What is taken out.</param>
/// <param name="Rules">One of these is broken without it.</param>
/// <param name="RunAsync">The scenario.</param>
internal sealed record Control(string Name, IReadOnlyList<string> Rules, Func<Aim, Task> RunAsync)
{
    public static IReadOnlyList<Control> All { get; } =
    [
        new("fence off", ["C3"], async aim =>
        {
            await aim.StartApiAsync();
            var frozen = await aim.StartWorkerAsync("fence off");
            await aim.SubmitAsync(20, aim.DeafStep(milliseconds: 4000));
            await aim.UntilBegunAsync(20); // a run that was only claimed would not begin after the thaw, fence or no fence
            var begun = DateTime.UtcNow;
            frozen.Signal(Signal.Stop);
            await aim.StartWorkerAsync("fence off"); // only now: on a busy machine its start takes longer than the steps
            await aim.UntilAsync("select count(*) >= 5 from jobs where epoch = 2 and state = 2"); // of some the wake-ups lie with the frozen one
            frozen.Signal(Signal.Continue);
            aim.NoteFault("freeze", begun);
        }),
        new("acknowledged before the claim", ["C1"], async aim =>
        {
            await aim.StartApiAsync("no ReconcileDuty");
            await aim.StartWorkerAsync("acknowledged before the claim", ("Worker__Slots", "8"));
            await aim.SubmitAsync(80, aim.Steps(3));
        }),
        new("send before the commit", ["C1"], async aim =>
        {
            await aim.StartApiAsync(aim.ProtectionIsOff ? "no ReconcileDuty,send before the commit" : "no ReconcileDuty");
            await aim.StartWorkerAsync("");
            await aim.SubmitAsync(50, aim.Steps(3));
        }),
        new("checkpoints answered before they are durable", ["C4"], async aim =>
        {
            await aim.StartApiAsync();
            var worker = await aim.StartWorkerAsync("checkpoints answered before they are durable");
            await aim.SubmitAsync(20, aim.Steps(30));
            await aim.UntilRunningAsync(20);
            await aim.UntilAsync("select min(checkpoint_seq) >= 3 from jobs");
            worker.Signal(Signal.Kill);
            aim.NoteFault("kill -9", DateTime.UtcNow);
        }),
        new("the worker's own clock in lease arithmetic", ["P3"], async aim =>
        {
            await aim.StartApiAsync();
            await aim.StartWorkerAsync("own clock");
            await Task.Delay(Ground.Lease); // from now on the API may judge
            await aim.SubmitAsync(20, aim.Steps(20));
        }),
        new("counting of submitted jobs", ["C10"], async aim =>
        {
            if (aim.ProtectionIsOff)
            {
                await aim.Ground.ExecuteAsync("drop trigger count_inserted_jobs on jobs");
            }

            await aim.StartApiAsync();
            aim.WatchDepth();
            await aim.StartWorkerAsync("");
            await aim.SubmitAsync(20, aim.Steps(20));
        }),
        new("shown without telling Redis", ["C8"], async aim =>
        {
            for (var i = 0; i < 2; i++)
            {
                await aim.StartApiAsync(aim.ProtectionIsOff ? "show without telling Redis" : "");
            }

            await aim.StartWorkerAsync(""); // it makes the type known
            await aim.UntilAsync("select off_until < clock_timestamp() from cache_switch");
            for (var i = 0; i < 10; i++)
            {
                var job = await aim.Load.SubmitOneAsync(new Kind("read", 0, () => Submissions.Of("probe.noop") with { Delay = "PT1H" })) ?? throw new TimeoutException("No job was accepted.");
                await aim.Load.ReadAsync(job, "one", api: 1);
                await aim.Load.CancelAsync(job, "one", api: 0);
                await aim.Load.ReadAsync(job, "one", api: 1);
            }
        }),
        new("endless prefetch", ["C1", "C12"], async aim =>
        {
            await aim.StartApiAsync();
            await aim.StartWorkerAsync("endless prefetch", ("Worker__Slots", "4"));
            await aim.SubmitAsync(240, aim.Steps(2));
            await aim.StartWorkerAsync("", ("Worker__Slots", "128"));
            aim.NoteFault("a burst behind a small worker", DateTime.UtcNow);
        }),
    ];
}

/// <summary>A small scenario on fresh ground.</summary>
internal sealed class Aim(Ground ground, Load load, string ledger, bool protectionIsOff)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private DepthWatch? depth;

    public Ground Ground => ground;

    public Load Load => load;

    public bool ProtectionIsOff => protectionIsOff;

    public List<Fault> Faults { get; } = [];

    /// <summary>Runs a control on emptied ground and judges it.</summary>
    public static async Task<Verdict> RunAsync(Ground ground, Control control, bool protectionIsOff)
    {
        await ground.ResetAsync();
        var folder = Directory.CreateDirectory(Path.Combine(ground.Folder.FullPath, "histories", Path.GetRandomFileName())).FullName;
        await using var load = new Load(ground, seed: 1);
        var aim = new Aim(ground, load, Path.Combine(folder, "handlers.ledger"), protectionIsOff);
        await control.RunAsync(aim);
        var bound = TimeSpan.FromSeconds(protectionIsOff ? 8 : 30); // what a missing protection has stopped does not go on later
        await Ground.UntilAsync(() => ground.ScalarAsync<bool>("select not exists (select from jobs where state < 5)"), bound + TimeSpan.FromSeconds(1));
        await Ground.UntilAsync(() => Task.FromResult(ground.Workers.TrueForAll(worker => worker.Process.IsRunning)), Patience);
        var options = new SuiteOptions { LeastJobsHit = 0, LivenessBound = bound, DrainBound = bound, MaxDrainTime = Ground.MaxDrainTime, DeathsWithin = TimeSpan.FromSeconds(15) };
        await using var depth = aim.depth;
        var samples = depth is null ? null : await depth.EndAsync(options.DepthGoodFor);
        var history = await Witness.TellAsync(ground, load, aim.Faults, options, samples, untilAtRest: TimeSpan.FromSeconds(protectionIsOff ? 1 : 12));
        history.Write(folder);
        await ground.EndMembersAsync(); // handlers that nobody waits for any more have written their last line
        return Judge.Decide(History.Read(folder));
    }

    /// <summary>From now on the depth that the APIs show is compared with the table.</summary>
    public void WatchDepth() => depth = DepthWatch.Start(ground);

    public void NoteFault(string kind, DateTime begun) => Faults.Add(new Fault { Kind = kind, Target = "worker", Begun = begun, Ended = DateTime.UtcNow, JobsHit = 0 });

    /// <summary>Measures on emptied ground.</summary>
    public static async Task<IReadOnlyList<Measured>> RunAsync(Ground ground, Measurement measurement)
    {
        await ground.ResetAsync();
        var folder = Directory.CreateDirectory(Path.Combine(ground.Folder.FullPath, "histories", Path.GetRandomFileName())).FullName;
        await using var load = new Load(ground, seed: 1);
        var measured = await measurement.RunAsync(new Aim(ground, load, Path.Combine(folder, "handlers.ledger"), protectionIsOff: false));
        return [.. measured, .. ground.StartedByHand.Select(end => new Measured($"end of {end.Process} at {end.At:HH:mm:ss}", end.How, "none that nobody asked for", Met: false))];
    }

    public Kind Steps(int steps, int milliseconds = Submissions.StepMilliseconds) => Submissions.Steps(ledger, 0, steps, milliseconds: milliseconds);

    public Kind DeafStep(int milliseconds) => new("deaf", 0, () => Submissions.Of("test.deaf-step", new { ledger, steps = 1, milliseconds }), Steps: 1);

    public async Task StartApiAsync(string seams = "", params (string Key, string? Value)[] settings)
    {
        await ground.AddApiAsync([.. settings, ("TEST_API_SEAMS", seams)]);
        load.Connect(ground);
    }

    /// <summary>Starts a worker, without the protection where that is off.</summary>
    public Task<Member> StartWorkerAsync(string seam, params (string Key, string? Value)[] settings) =>
        ground.AddWorkerAsync([.. settings, ("TEST_WORKER_SEAMS", protectionIsOff ? seam : "")]);

    public Task SubmitAsync(int jobs, Kind kind) => Task.WhenAll(Enumerable.Range(0, jobs).Select(_ => load.SubmitOneAsync(kind)));

    /// <summary>Waits until so many handlers have begun.</summary>
    public async Task UntilBegunAsync(int handlers)
    {
        if (!await Ground.UntilAsync(() => Task.FromResult(File.Exists(ledger) && File.ReadLines(ledger).Count(line => line.Contains(" B ", StringComparison.Ordinal)) == handlers), Patience))
        {
            throw new TimeoutException($"{handlers} handlers did not begin.");
        }
    }

    public Task UntilRunningAsync(int jobs) => UntilAsync($"select count(*) = {jobs} from jobs where state = 2");

    /// <summary>Waits until a query says so.</summary>
    public async Task UntilAsync(string sql, TimeSpan? patience = null, Func<Task>? meanwhile = null)
    {
        if (!await Ground.UntilAsync(AsksAsync, patience ?? Patience))
        {
            throw new TimeoutException($"It did not come to: {sql}");
        }

        async Task<bool> AsksAsync()
        {
            await (meanwhile?.Invoke() ?? Task.CompletedTask);
            return await ground.ScalarAsync<bool>(sql);
        }
    }
}
