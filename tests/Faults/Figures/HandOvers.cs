using System.Globalization;

namespace QueueScale.Faults;

/// <summary>How soon jobs go on elsewhere.</summary>
internal static class HandOvers
{
    /// <summary>A hundred SIGTERMs and a hundred kill -9 of whoever runs the job.</summary>
    public static async Task<IReadOnlyList<Measured>> DrainedOrKilledAsync(Aim aim)
    {
        await aim.StartApiAsync();
        for (var i = 0; i < 3; i++)
        {
            await aim.StartWorkerAsync("", Measurement.UsualLease);
        }

        await aim.SubmitAsync(1, aim.Steps(100_000, milliseconds: 100));
        await Task.Delay(Measurement.Watched);
        return [.. await OfAsync(aim, Signal.Terminate, 100, 2), .. await OfAsync(aim, Signal.Kill, 100, 5)];
    }

    /// <summary>A worker whose host nothing reaches and that reaches nothing.</summary>
    public static async Task<IReadOnlyList<Measured>> CutOffAsync(Aim aim)
    {
        await aim.StartApiAsync();
        var times = new List<double>();
        for (var round = 0; round < 5; round++)
        {
            await using var network = await NetworkNamespace.CreateAsync();
            await using var postgres = TcpProxy.Start(() => aim.Ground.Postgres.Port, network.HostAddress);
            await using var broker = TcpProxy.Start(() => aim.Ground.Broker.Port, network.HostAddress);
            await using (await aim.Ground.StartWorkerAsync($"worker-cut-off-{round}", network.Place, Measurement.UsualLease,
                ("ConnectionStrings__Postgres", aim.Ground.Through(postgres)), ("ConnectionStrings__RabbitMq", aim.Ground.BrokerThrough(broker))))
            {
                await aim.SubmitAsync(1, aim.Steps(1000, milliseconds: 100));
                await aim.UntilAsync("select count(*) > 0 from jobs where state = 2");
                await Task.Delay(Measurement.Watched);
                var at = DateTime.UtcNow;
                await network.BlockAsync();
                await using var other = await aim.Ground.StartWorkerAsync($"worker-other-{round}", HostPlace.Here, Measurement.UsualLease);
                times.Add(await NextStartAsync(aim, at));
                await aim.Ground.ExecuteAsync("update jobs set state = 7, finished_at = now() where state < 5");
            }
        }

        return [new($"hand-over from a host cut off, {times.Count}", $"longest {times.Max():0.00} s", "under 15 s", times.Max() < 15)];
    }

    /// <summary>PostgreSQL restarted under 200 running jobs.</summary>
    public static async Task<IReadOnlyList<Measured>> PostgresRestartAsync(Aim aim)
    {
        await aim.StartApiAsync();
        for (var i = 0; i < 4; i++)
        {
            await aim.StartWorkerAsync("", Measurement.UsualLease);
        }

        await aim.SubmitAsync(200, aim.Steps(300, milliseconds: 200));
        await aim.UntilRunningAsync(200);
        await Task.Delay(Measurement.Watched);
        await aim.Ground.PostgresFaults.StopImmediatelyAsync();
        await aim.Ground.Postgres.StartAsync();
        await Task.Delay(Measurement.Watched);
        var crashed = await aim.Ground.ScalarAsync<long>("select coalesce(sum(crashes), 0)::bigint from jobs");
        return [new("runs taken for dead after a restart of PostgreSQL, of 200", $"{crashed}", "0", crashed == 0)];
    }

    /// <summary>Jobs queued beside a worker that is stopped.</summary>
    public static async Task<IReadOnlyList<Measured>> FrozenAsync(Aim aim)
    {
        await aim.StartApiAsync();
        var frozen = await aim.StartWorkerAsync("", Measurement.UsualLease);
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        await Task.Delay(Measurement.Watched);
        frozen.Signal(Signal.Stop);
        var at = TimeProvider.System.GetTimestamp();
        await aim.SubmitAsync(200, new Kind("noop", 0, () => Submissions.Of("probe.noop")));
        await aim.UntilAsync("select count(*) = 200 from jobs where state = 5", TimeSpan.FromSeconds(60));
        var took = TimeProvider.System.GetElapsedTime(at).TotalSeconds;
        frozen.Signal(Signal.Continue);
        return [new("200 jobs queued beside a frozen worker, the last one done", $"{took:0.0} s", "at most 15 s", took <= 15)];
    }

    private static async Task<IReadOnlyList<Measured>> OfAsync(Aim aim, Signal signal, int rounds, double limit)
    {
        var times = new List<double>();
        while (times.Count < rounds)
        {
            await Task.Delay(Random.Shared.Next(300, 1000));
            var name = await aim.Ground.ScalarAsync<string>("select coalesce(min(w.name), '') from jobs j join workers w on w.id = j.worker where j.state = 2");
            if (aim.Ground.Workers.Find(worker => worker.Name == name) is not { } running)
            {
                continue;
            }

            var at = DateTime.UtcNow;
            running.Signal(signal);
            times.Add(await NextStartAsync(aim, at));
            await aim.UntilAsync("select count(*) = 3 and min(pulse_at) > clock_timestamp() - '2 s'::interval from workers where dead_at is null");
        }

        var sorted = times.Order().ToArray();
        var p99 = sorted[(int)Math.Ceiling(0.99 * sorted.Length) - 1];
        return [new(string.Create(CultureInfo.InvariantCulture, $"hand-over after {signal}, {rounds}"), $"p50 {sorted[sorted.Length / 2]:0.00} s, p99 {p99:0.00} s, longest {sorted[^1]:0.00} s", $"p99 under {limit:0} s", p99 < limit)];
    }

    /// <summary>Seconds until a run starts after a time.</summary>
    private static async Task<double> NextStartAsync(Aim aim, DateTime at)
    {
        var after = at.ToString("O", CultureInfo.InvariantCulture);
        await aim.UntilAsync($"select count(*) > 0 from jobs where state = 2 and started_at > '{after}'", TimeSpan.FromSeconds(60));
        return (await aim.Ground.ScalarAsync<DateTime>($"select min(started_at) from jobs where state = 2 and started_at > '{after}'") - at).TotalSeconds;
    }
}
