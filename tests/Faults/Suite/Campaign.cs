using System.Globalization;
using Npgsql;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>What a campaign found.</summary>
/// <param name="Verdict">Over everything.</param>
/// <param name="Rows">The same, for the jobs of each fault.</param>
/// <param name="Folder">Where the history lies.</param>
/// <param name="Troubles">What no rule of the checker covers.</param>
/// <param name="Odd">Answers that were neither a 202 nor an honest refusal.</param>
/// <param name="LeftOut">How often each strike was chosen and could not be made.</param>
internal sealed record Outcome(
    Verdict Verdict, IReadOnlyList<FaultRow> Rows, string Folder, IReadOnlyList<string> Troubles, IReadOnlyList<string> Odd, IReadOnlyDictionary<string, int> LeftOut)
{
    public bool Passed => Verdict.Passed && Troubles.Count == 0 && Odd.Count == 0;
}

/// <summary>One kind of fault: how often it struck, and what became of the jobs that were submitted around it.</summary>
internal sealed record FaultRow(string Kind, int Runs, Figures Figures, RecoveryTimes? Recovery);

/// <summary>A system under load, struck by one fault after the other, or by several at once; judged at its end.</summary>
/// <param name="ground">The system's servers.</param>
/// <param name="seed">The same seed makes the same choices.</param>
/// <param name="backlog">Jobs that wait all the while in a queue that nobody serves.</param>
/// <param name="tell">Hears of each step.</param>
internal sealed class Campaign(Ground ground, int seed, int backlog, Tell tell)
{
    private const int Apis = 2;
    private const int Workers = 3;
    private const int LeastJobsHit = 50;
    private const int MostTries = 5;

    /// <summary>A long lane of this length or more must have tried <see cref="LeastJobsInLong"/>.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(30);

    private const int LeastJobsInLong = 20_000;

    /// <summary>Nobody is taken for dead sooner.</summary>
    private static readonly TimeSpan UntilNoticed = TimeSpan.FromSeconds(3);

    /// <summary>With more waiting, what a strike cuts would wait for a slot, not for its hand-over.</summary>
    private const int MostQueued = 40;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Random chance = new(seed);
    private readonly List<Fault> faults = [];
    private readonly List<(DateTime Begun, string Kind)> windows = [];
    private readonly List<Strike> struck = [];
    private readonly List<Strike> leftOut = [];
    private readonly List<string> troubles = [];
    private string folder = "";

    /// <summary>Runs the strikes in turn, each when the system has recovered from the one before.</summary>
    public Task<Outcome> InTurnAsync(IReadOnlyList<Strike> strikes) => RunAsync(async scene =>
    {
        foreach (var strike in strikes)
        {
            await SteadyAsync(scene);
            await StrikeAsync(scene, strike, await HitAsync(scene), alone: true);
            await Task.Delay(UntilNoticed);
        }
    }, strikes);

    /// <summary>Strikes by chance, up to three at once, for some time.</summary>
    public Task<Outcome> ByChanceAsync(IReadOnlyList<Strike> strikes, TimeSpan time) => RunAsync(async scene =>
    {
        for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < time;)
        {
            await SteadyAsync(scene);
            var together = Enumerable.Range(0, chance.Next(1, 4)).Select(_ => strikes[chance.Next(strikes.Count)]).DistinctBy(strike => strike.Target).ToArray();
            var hit = await HitAsync(scene);
            await Task.WhenAll(together.Select(strike => StrikeAsync(scene, strike, hit, alone: together.Length == 1)));
            await Task.Delay(UntilNoticed + TimeSpan.FromSeconds(chance.NextDouble() * 3));
        }

        if (time >= Long && scene.Load.Events.Count(e => e is { Operation: Operation.Submit, Phase: Phase.Invoke }) is var attempted && attempted < LeastJobsInLong)
        {
            troubles.Add($"Only {attempted} jobs were attempted in {time.TotalMinutes:0} minutes; it counts from {LeastJobsInLong}.");
        }
    }, []);

    private async Task<Outcome> RunAsync(Func<Scene, Task> act, IReadOnlyList<Strike> bounded)
    {
        folder = Directory.CreateDirectory(Path.Combine(RunFolder.OfCheckout.FullPath, "histories", $"{DateTime.UtcNow:yyyyMMdd-HHmmss}-seed-{seed}")).FullName;
        const string csv = "faults.csv";
        await OrdersFile.WriteAsync(Path.Combine(ground.DataRoot, csv), Submissions.ImportRows);
        for (var i = 0; i < Apis; i++)
        {
            await ground.AddApiAsync();
        }

        for (var i = 0; i < Workers; i++)
        {
            await ground.AddWorkerAsync();
        }

        if (backlog > 0)
        {
            tell("backlog", $"{backlog} jobs are queued that nobody serves");
            await ground.FillLaterAsync(backlog);
        }

        await using var load = new Load(ground, chance.Next());
        var scene = new Scene(ground, load, chance);
        await using var depth = DepthWatch.Start(ground);
        load.Start(Submissions.Mixed(Path.Combine(folder, "handlers.ledger"), csv));
        await act(scene);
        troubles.AddRange(leftOut.Select(strike => strike.Fault).Distinct().Except(struck.Select(strike => strike.Fault))
            .Select(family => $"{family} never struck although it was chosen: each time it was left out."));
        await SteadyAsync(scene);
        await load.StopAsync();
        tell("drain", "submitting has ended; what is left is done");
        await DrainAsync();
        if (backlog > 0)
        {
            await ground.EmptyLaterAsync();
        }

        return await JudgeAsync(scene, depth, bounded);
    }

    /// <returns>The jobs that a strike hits now. Where they have become too few since everybody was busy, that is waited for again.</returns>
    private async Task<int> HitAsync(Scene scene)
    {
        for (var tries = 1; ; tries++)
        {
            var hit = (int)await ground.RunningAsync() + scene.Load.Submitting;
            if (hit >= LeastJobsHit || tries == MostTries)
            {
                return hit;
            }

            await SteadyAsync(scene);
        }
    }

    private async Task StrikeAsync(Scene scene, Strike strike, int hit, bool alone)
    {
        tell(strike.Fault, $"{strike.Name}, {hit} jobs hit");
        var begun = DateTime.UtcNow;
        try
        {
            await strike.RunAsync(scene);
        }
        catch (Exception error) when (error is MissingPrivilege || (!alone && error is NpgsqlException or LocalProblem or HttpRequestException or TimeoutException))
        {
            // It needs what is missing here, or what the other strikes have just taken away.
            tell(strike.Fault, $"left out: {strike.Name}: {error.Message.Split('\n')[0]}");
            lock (faults)
            {
                leftOut.Add(strike);
            }

            return;
        }
        catch (Exception error)
        {
            lock (faults)
            {
                troubles.Add($"{strike.Kind} went wrong: {error}");
            }

            return;
        }

        lock (faults)
        {
            faults.Add(new Fault { Kind = strike.Kind, Target = strike.Target, Begun = begun, Ended = DateTime.UtcNow, JobsHit = hit });
            struck.Add(strike);
            windows.Add((begun, alone ? strike.Kind : "several at once"));
        }
    }

    /// <summary>Waits until everybody is there again and busy. What does not recover by itself is a trouble.</summary>
    private async Task SteadyAsync(Scene scene)
    {
        var last = "";
        var steady = await Ground.UntilAsync(async () =>
        {
            var alive = await ground.ScalarAsync<long>("select case when count(*) = 3 then count(*) filter (where pulse_at > clock_timestamp() - '2 s'::interval) else -count(*) end from workers where dead_at is null");
            var running = await ground.RunningAsync();
            var queued = await ground.ScalarAsync<long>("select count(*) from jobs where state = 1 and queue in ('bulk', 'default')");
            last = $"{alive} of {Workers} workers pulse, {running} jobs run, {queued} are queued";
            if (alive < Workers || running < LeastJobsHit + 10 || queued > MostQueued)
            {
                return false;
            }

            foreach (var member in ground.Apis.Concat(ground.Workers))
            {
                last = $"{member.Name} is not ready";
                await member.WaitUntilReadyAsync();
            }

            return true;
        }, Patience);
        if (!steady)
        {
            troubles.Add($"The system did not recover within {Patience.TotalSeconds:0} s after {faults.LastOrDefault()?.Kind ?? "its start"}: {last}.");
        }
    }

    private async Task DrainAsync()
    {
        long left = -1;
        if (!await Ground.UntilAsync(async () => (left = await ground.ScalarAsync<long>($"select {Ground.Left}")) == 0, Patience))
        {
            troubles.Add($"{left} jobs are not done {Patience.TotalSeconds:0} s after the last submission.");
        }
    }

    private async Task<Outcome> JudgeAsync(Scene scene, DepthWatch depth, IReadOnlyList<Strike> bounded)
    {
        await JudgeImportsAsync();
        var options = new SuiteOptions
        {
            LeastJobsHit = LeastJobsHit,
            DeathsWithin = TimeSpan.FromSeconds(15),
            MalformedMessages = scene.Malformed,
            MaxDrainTime = Ground.MaxDrainTime,
            HandOverBounds = bounded.Where(s => s.HandOverBound is not null).ToDictionary(s => s.Kind, s => s.HandOverBound!.Value),
        };
        var history = await Witness.TellAsync(ground, scene.Load, [.. faults.OrderBy(fault => fault.Begun)], options, await depth.EndAsync(options.DepthGoodFor));
        history.Write(folder);
        var verdict = Judge.Decide(History.Read(folder));
        await File.WriteAllTextAsync(Path.Combine(folder, "verdict.txt"), verdict.Report() + string.Join('\n', troubles.Concat(scene.Load.Odd)));
        return new Outcome(verdict, [.. RowsOf(history, verdict)], folder, troubles, [.. scene.Load.Odd],
            leftOut.CountBy(strike => strike.Kind).ToDictionary());
    }

    /// <summary>Each job belongs to the last fault that had begun when it was submitted.</summary>
    private IEnumerable<FaultRow> RowsOf(History history, Verdict verdict)
    {
        var submitted = history.Client.Where(e => e is { Operation: Operation.Submit, Phase: Phase.Invoke }).DistinctBy(e => e.Token).ToDictionary(e => e.Token!, e => KindAt(e.At));
        var jobKinds = history.Jobs.ToDictionary(job => job.Id, job => job.Tags.Select(tag => submitted.GetValueOrDefault(tag)).FirstOrDefault(kind => kind is not null) ?? "");
        var callKinds = history.Client.Where(e => e.Phase == Phase.Invoke)
            .ToDictionary(e => e.Call, e => e.Token is { } token ? submitted[token] : jobKinds.GetValueOrDefault(e.Job ?? Guid.Empty, ""));
        var ledger = History.Read(folder).Ledger.ToLookup(line => jobKinds.GetValueOrDefault(line.Job, ""));
        foreach (var kind in windows.GroupBy(window => window.Kind))
        {
            var part = history with
            {
                Faults = [],
                Depth = [],
                Client = [.. history.Client.Where(e => callKinds[e.Call] == kind.Key)],
                Jobs = [.. history.Jobs.Where(job => jobKinds[job.Id] == kind.Key)],
                Runs = [.. history.Runs.Where(run => jobKinds.GetValueOrDefault(run.Job) == kind.Key)],
                Moves = [.. history.Moves.Where(move => jobKinds.GetValueOrDefault(move.Job) == kind.Key)],
                Ledger = [.. ledger[kind.Key]],
                AfterDrain = history.AfterDrain with { LateWrites = history.AfterDrain.LateWrites.Where(late => jobKinds.GetValueOrDefault(late.Key) == kind.Key).ToDictionary() },
            };
            yield return new FaultRow(kind.Key, kind.Count(), Judge.Decide(part).Figures, verdict.Figures.Recoveries.FirstOrDefault(recovery => recovery.Kind == kind.Key));
        }
    }

    private string KindAt(DateTime time) => windows.Where(window => window.Begun <= time).Select(window => window.Kind).LastOrDefault("");

    /// <summary>The rows of every import, counted by PostgreSQL itself.</summary>
    private async Task JudgeImportsAsync()
    {
        foreach (var table in await ground.RowsAsync("select input ->> 'table' from jobs where type = 'csv.import' and state = 5"))
        {
            var found = await ground.ScalarAsync<string>($"select concat(count(*), '/', count(distinct order_id)) from imports.{table}");
            if (found != string.Create(CultureInfo.InvariantCulture, $"{Submissions.ImportRows}/{Submissions.ImportRows}"))
            {
                troubles.Add($"Import {table} has {found} rows/orders instead of {Submissions.ImportRows} of each.");
            }
        }
    }
}
