using System.Globalization;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>RabbitMQ away, and RabbitMQ without its data.</summary>
internal static class BrokerOutages
{
    /// <summary>Three minutes without a broker under 200 submissions a second.</summary>
    public static Task<IReadOnlyList<Measured>> AwayAsync(Aim aim) => WithoutAsync(aim, TimeSpan.FromMinutes(3), "away", () => aim.Ground.Broker.KillAsync(), () => aim.Ground.Broker.StartAsync());

    /// <summary>A broker that does not answer for 90 seconds under 200 submissions a second.</summary>
    public static Task<IReadOnlyList<Measured>> FrozenAsync(Aim aim) => WithoutAsync(aim, TimeSpan.FromSeconds(90), "frozen", () => Strikes.Done(aim.Ground.BrokerFaults.Freeze), () => Strikes.Done(aim.Ground.BrokerFaults.Thaw));

    private static async Task<IReadOnlyList<Measured>> WithoutAsync(Aim aim, TimeSpan time, string how, Func<Task> begin, Func<Task> end)
    {
        await aim.StartApiAsync();
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        var noop = new Kind("noop", 200, () => Submissions.Of("probe.noop"));
        aim.Load.Start([noop]);
        await Task.Delay(TimeSpan.FromSeconds(20)); // warm
        var begun = DateTime.UtcNow;
        await Task.Delay(TimeSpan.FromSeconds(30));
        var away = DateTime.UtcNow;
        await begin();
        await Task.Delay(time);
        await aim.Load.StopAsync();
        var accepted = aim.Load.Accepted.ToArray();
        await end();
        var back = TimeProvider.System.GetTimestamp();
        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(3));
        var drained = TimeProvider.System.GetElapsedTime(back).TotalSeconds;
        var failed = aim.Load.Events.Count(e => e.Operation == Operation.Submit && e.Phase is Phase.Info or Phase.Fail);
        var (before, during) = (Measurement.P99(accepted.Where(a => a.At > begun && a.At < away)), Measurement.P99(accepted.Where(a => a.At > away)));
        return
        [
            new($"failed submissions while the broker was {how} for {time.TotalSeconds:0} s under 200/s", $"{failed} of {accepted.Length + failed}", "0", failed == 0),
            new("submit p99 meanwhile, and before", $"{during * 1000:0.0} ms, {before * 1000:0.0} ms", "less than twice", during < 2 * before),
            new("all done after its return", $"{drained:0.0} s", "within 60 s", drained <= 60),
        ];
    }

    /// <summary>A broker that comes back empty with 20,000 jobs queued.</summary>
    public static async Task<IReadOnlyList<Measured>> WipedAsync(Aim aim)
    {
        await aim.StartApiAsync();
        var worker = await aim.StartWorkerAsync("", Measurement.UsualLease);
        worker.Signal(Signal.Stop);
        for (var batch = 0; batch < 20; batch++)
        {
            await aim.Load.SubmitBatchAsync(1000, () => Submissions.Of("probe.noop"));
        }

        await aim.Ground.BrokerFaults.WipeAsync();
        worker.Signal(Signal.Continue);
        var back = TimeProvider.System.GetTimestamp();
        await aim.UntilAsync("select count(*) = 20000 from jobs where state = 5", TimeSpan.FromMinutes(3));
        var took = TimeProvider.System.GetElapsedTime(back).TotalSeconds;
        var again = await SentAsync(aim) / 20_000 - 1;
        return [new("20,000 jobs queued when the broker lost all its data", string.Create(CultureInfo.InvariantCulture, $"all done after {took:0.0} s, each sent again {again:0.00} times"), "all done, at most 1.2 times", again <= 1.2)];
    }

    /// <summary>Jobs named in the wake-ups that the API has sent.</summary>
    private static async Task<double> SentAsync(Aim aim)
    {
        using var http = new HttpClient();
        var metrics = await http.GetStringAsync(new Uri(aim.Ground.Apis[0].Url, "metrics"));
        var sent = metrics.Split('\n').Single(line => line.StartsWith("queuescale_wakeups_sent_total ", StringComparison.Ordinal));
        return double.Parse(sent.Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
