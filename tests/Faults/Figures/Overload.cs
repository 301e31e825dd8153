using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>More submissions than PostgreSQL can write.</summary>
internal static class Overload
{
    private const int Offered = 2500;
    private const int Calm = 200;
    private const int Written = 500;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(30);

    /// <summary>Five times as many as get through to PostgreSQL: those that are accepted are answered soon, the others at once, and no memory fills up.</summary>
    public static async Task<IReadOnlyList<Measured>> OfSubmissionsAsync(Aim aim)
    {
        await aim.StartApiAsync();
        await (await aim.Ground.StartWorkerAsync("teller", HostPlace.Here, Measurement.UsualLease)).DisposeAsync(); // it has told the types; the jobs wait
        aim.Load.Start([new Kind("calm", Calm, () => Submissions.Of("probe.noop"), IsObserved: false)]);
        await Task.Delay(TimeSpan.FromSeconds(3));
        var proxy = aim.Ground.ApisToPostgres;
        var (bytes, jobs) = (proxy.BytesToTarget, aim.Load.Accepted.Count);
        await Task.Delay(TimeSpan.FromSeconds(5));
        var bytesOfJob = (double)(proxy.BytesToTarget - bytes) / (aim.Load.Accepted.Count - jobs);

        var bandwidth = bytesOfJob * Written;
        proxy.Switch(new ProxyMode.Bandwidth((int)bandwidth));
        aim.Load.Start([.. Enumerable.Repeat(new Kind("rush", 100, () => Submissions.Of("probe.noop"), IsObserved: false), (Offered - Calm) / 100)]);
        await Task.Delay(Settling); // jobs of larger batches need fewer bytes
        jobs = aim.Load.Accepted.Count;
        await Task.Delay(TimeSpan.FromSeconds(5));
        proxy.Switch(new ProxyMode.Bandwidth((int)(bandwidth * Written * 5 / (aim.Load.Accepted.Count - jobs))));
        await Task.Delay(Settling);
        var (from, before) = (DateTime.UtcNow, aim.Ground.Apis[0].ResidentMiB);
        await Task.Delay(Watched);
        var (until, after) = (DateTime.UtcNow, aim.Ground.Apis[0].ResidentMiB);
        proxy.Switch(new ProxyMode.Pass());
        await aim.Load.StopAsync();

        var begun = aim.Load.Events.Where(e => e is { Operation: Operation.Submit, Phase: Phase.Invoke } && e.At >= from && e.At < until).ToDictionary(e => e.Call, e => e.At);
        var ends = aim.Load.Events.Where(e => e.Operation == Operation.Submit && e.Phase != Phase.Invoke && begun.ContainsKey(e.Call)).ToArray();
        var accepted = Seconds(ends.Where(e => e.Phase == Phase.Ok));
        var refused = Seconds(ends.Where(e => e.Phase != Phase.Ok));
        return
        [
            new("overload: offered, accepted, refused a second", $"{begun.Count / Watched.TotalSeconds:0}, {accepted.Length / Watched.TotalSeconds:0}, {refused.Length / Watched.TotalSeconds:0}; {aim.Load.Odd.Count} odd answers",
                $"{Offered}, some {Written}; no odd answer", begun.Count >= 0.9 * Offered * Watched.TotalSeconds && aim.Load.Odd.IsEmpty),
            new("overload: accepted, p50 and p99", $"{1000 * At(accepted, 0.5):0} and {1000 * At(accepted, 0.99):0} ms", "p99 < 250 ms", At(accepted, 0.99) < 0.25),
            new("overload: refused, p50 and p99", $"{1000 * At(refused, 0.5):0} and {1000 * At(refused, 0.99):0} ms", "p99 < 50 ms", At(refused, 0.99) < 0.05),
            new("overload: memory of the API", $"{before} MiB, 30 s later {after} MiB", "no more than 64 MiB more", after - before < 64),
        ];

        double[] Seconds(IEnumerable<ClientEvent> answers) => [.. answers.Select(e => (e.At - begun[e.Call]).TotalSeconds).Order()];
    }

    private static double At(double[] sorted, double part) => sorted.Length == 0 ? double.NaN : sorted[(int)Math.Ceiling(part * sorted.Length) - 1];
}
