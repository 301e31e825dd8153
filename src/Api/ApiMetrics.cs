using System.Diagnostics.Metrics;
using QueueScale.Hosting;

namespace QueueScale.Api;

/// <summary>What the API counts. Names and labels: docs/telemetry.md.</summary>
internal static class ApiMetrics
{
    public static readonly Meter Meter = new("QueueScale.Api");

    public static readonly Counter<long> Submitted = Meter.CreateCounter<long>("queuescale.jobs.submitted", "{job}", "Jobs that were accepted.");

    public static readonly Counter<long> Refused = Meter.CreateCounter<long>("queuescale.refused", "{request}", "Requests that were answered with a problem.");

    public static readonly Counter<long> Reconciled = Meter.CreateCounter<long>("queuescale.reconciled", "{job}", "Queued jobs whose wake-up was lost and is sent again.");

    public static readonly Counter<long> WorkerCrashes = Meter.CreateCounter<long>("queuescale.worker.crashes", "{worker}", "Workers that were declared dead.");

    public static readonly UpDownCounter<long> StreamsOpen = Meter.CreateUpDownCounter<long>("queuescale.streams.open", "{stream}", "Callers that follow the events of a job.");

    public static readonly Counter<long> CacheRequests = Meter.CreateCounter<long>("queuescale.cache.requests", "{request}", "Looks for a job in a cache.");

    /// <summary>The layers of <see cref="CacheRequests"/>.</summary>
    public static readonly KeyValuePair<string, object?> Process = new("layer", "process"), Redis = new("layer", "redis");

    /// <summary>The results of <see cref="CacheRequests"/>. Off: Redis was not asked, because some API cannot reach it.</summary>
    public static readonly KeyValuePair<string, object?> Hit = new("result", "hit"), Miss = new("result", "miss"), Error = new("result", "error"), Off = new("result", "off");

    /// <summary>The reasons of <see cref="Reconciled"/>: single jobs, or so many of a lane that all of it is sent again.</summary>
    public static readonly KeyValuePair<string, object?> Lost = new("reason", "lost"), ManyLost = new("reason", "many_lost");

    /// <summary>Shows 0 of what may happen: a counter that is not there yet has no rate when it comes.</summary>
    /// <param name="withRedis">Whether there is a Redis.</param>
    public static void Expect(bool withRedis)
    {
        foreach (var (layer, result) in new[] { (Process, Hit), (Process, Miss) }.Concat(withRedis ? [(Redis, Hit), (Redis, Miss), (Redis, Error), (Redis, Off)] : []))
        {
            CacheRequests.Add(0, layer, result);
        }

        WorkerCrashes.Add(0);
        StreamsOpen.Add(0);
        Reconciled.Add(0, Lost);
        Reconciled.Add(0, ManyLost);
    }

    /// <summary>Shows 0 of what may happen to jobs of a type.</summary>
    public static void Expect(string queue, string type)
    {
        Submitted.Add(0, new("queue", queue), new("type", type));
        FinishedJobs.Expect(queue, type);
    }
}
