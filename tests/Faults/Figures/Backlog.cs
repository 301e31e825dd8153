using QueueScale.Contracts;
using QueueScale.Faults.Checker;
using RabbitMQ.Client;

namespace QueueScale.Faults;

/// <summary>A million jobs that wait.</summary>
internal static class Backlog
{
    /// <summary>Jobs that may be on their way in one lane.</summary>
    private const int Window = 20_000;

    /// <summary>Two lanes of full wake-ups, and as many again because a lane is looked at from time to time.</summary>
    private const long MostMessages = 2 * 2 * (Window / 64);

    /// <summary>A million jobs that nobody serves are no burden to the others; and then they are done.</summary>
    public static async Task<IReadOnlyList<Measured>> OfAMillionAsync(Aim aim)
    {
        await aim.StartApiAsync("", ("Api__LaneWindow", $"{Window}"));
        var worker = await aim.StartWorkerAsync("", Measurement.UsualLease);
        var api = aim.Ground.Apis[0];
        var noop = new Kind("noop", 200, () => Submissions.Of("probe.noop"));
        aim.Load.Start([noop]);
        await Task.Delay(TimeSpan.FromSeconds(20));
        var begun = DateTime.UtcNow;
        await Task.Delay(TimeSpan.FromSeconds(20));
        var filling = DateTime.UtcNow;
        var (apiBefore, workerBefore) = (api.ResidentMiB, worker.ResidentMiB);
        await aim.Ground.FillLaterAsync(1_000_000);
        await Task.Delay(TimeSpan.FromSeconds(15));
        var filled = DateTime.UtcNow;
        await Task.Delay(TimeSpan.FromSeconds(30));
        await aim.Load.StopAsync();
        var accepted = aim.Load.Accepted.ToArray();
        var (before, with) = (Measurement.P99(accepted.Where(a => a.At > begun && a.At < filling)), Measurement.P99(accepted.Where(a => a.At > filled)));
        var (apiAfter, workerAfter) = (api.ResidentMiB, worker.ResidentMiB);
        var at = TimeProvider.System.GetTimestamp();
        await using var served = await aim.Ground.StartWorkerAsync("worker-later", HostPlace.Here, Measurement.UsualLease, ("Worker__Queues__0", Ground.Later));
        await using var connection = await new ConnectionFactory { Uri = new Uri(aim.Ground.Broker.Uri()) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var most = 0L;
        await aim.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromMinutes(5), async () => most = Math.Max(most, await WaitingAsync(channel)));
        var took = TimeProvider.System.GetElapsedTime(at).TotalSeconds;
        return
        [
            new("a million queued: submit p99, and before", $"{with * 1000:0.0} ms, {before * 1000:0.0} ms", "within 1.5 times", with <= 1.5 * before),
            new("resident memory of the API, and before", $"{apiAfter} MB, {apiBefore} MB", "within 1.5 times", apiAfter <= 1.5 * apiBefore),
            new("resident memory of a worker, and before", $"{workerAfter} MB, {workerBefore} MB", "within 1.5 times", workerAfter <= 1.5 * workerBefore),
            new("drained by a worker for them", $"{took:0} s, at most {most} messages in the broker", $"within 300 s, at most {MostMessages}", took < 300 && most <= MostMessages),
        ];
    }

    /// <summary>A hundred thousand jobs and ten thousand retries that are due at one moment, under 200 submissions a second.</summary>
    public static async Task<IReadOnlyList<Measured>> DueTogetherAsync(Aim aim)
    {
        const int Scheduled = 100_000;
        const int Retries = 10_000;
        await aim.StartApiAsync();
        await aim.StartWorkerAsync("", Measurement.UsualLease);
        aim.Load.Start([new Kind("noop", 200, () => Submissions.Of("probe.noop"))]);
        await Task.Delay(TimeSpan.FromSeconds(20));
        var begun = DateTime.UtcNow;
        await Task.Delay(TimeSpan.FromSeconds(20));
        var filling = DateTime.UtcNow;
        await aim.Ground.ExecuteAsync($"""
            insert into jobs (id, tenant, type, queue, state, max_attempts, attempts, input, run_at)
            select gen_random_uuid(), 1, 'probe.noop', 'bulk', case when n <= {Scheduled} then 0 else 3 end, 3, case when n <= {Scheduled} then 0 else 1 end, '{"{}"}', date_trunc('second', clock_timestamp()) + '20 s'::interval
            from generate_series(1, {Scheduled + Retries}) n
            """);
        var due = await aim.Ground.ScalarAsync<DateTime>("select max(run_at) from jobs where queue = 'bulk'");
        await aim.UntilAsync("select clock_timestamp() >= max(run_at) from jobs where queue = 'bulk'", TimeSpan.FromSeconds(40));
        await aim.UntilAsync("select count(*) = 0 from jobs where queue = 'bulk' and state < 5", TimeSpan.FromMinutes(3));
        var took = (await aim.Ground.ScalarAsync<DateTime>("select max(finished_at) from jobs where queue = 'bulk'") - due).TotalSeconds;
        var early = await aim.Ground.ScalarAsync<long>("select count(*) from jobs where queue = 'bulk' and started_at < run_at");
        var twice = await aim.Ground.ScalarAsync<long>("select count(*) from jobs where queue = 'bulk' and (epoch <> 1 or state <> 5)");
        await aim.Load.StopAsync();
        var accepted = aim.Load.Accepted.ToArray();
        var failed = aim.Load.Events.Count(e => e.Operation == Operation.Submit && e.Phase is Phase.Info or Phase.Fail);
        var (before, with) = (Measurement.P99(accepted.Where(a => a.At > begun && a.At < filling)), Measurement.P99(accepted.Where(a => a.At > due && a.At < due.AddSeconds(took))));
        return
        [
            new("100,000 jobs and 10,000 retries due at one second: early, run twice or not succeeded", $"{early}, {twice}", "0, 0", early + twice == 0),
            new("the same: all done after", $"{took:0.0} s", "30 s", took <= 30),
            new("failed submissions meanwhile; submit p99, and before", $"{failed}; {with * 1000:0.0} ms, {before * 1000:0.0} ms", "0", failed == 0),
        ];
    }

    /// <summary>Messages that wait for the worker in both lanes, now.</summary>
    private static async Task<long> WaitingAsync(IChannel channel) =>
        (await channel.QueueDeclarePassiveAsync(QueueName.Physical(Ground.Later, QueueName.Normal))).MessageCount
        + (await channel.QueueDeclarePassiveAsync(QueueName.Physical(Ground.Later, QueueName.Front))).MessageCount;
}
