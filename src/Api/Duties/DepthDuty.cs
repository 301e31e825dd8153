using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Cache;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Keeps the depth of the queues at hand for metrics, as PostgreSQL counts it. What it could not read lately is not reported: unknown is not zero.</summary>
internal sealed class DepthDuty : DutyLoop
{
    /// <summary>Figures that are older are unknown.</summary>
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan ReadLimit = TimeSpan.FromSeconds(2);

    /// <summary>Queues that no job type has and no worker has served: each that somebody names stays, in PostgreSQL and twice in RabbitMQ.</summary>
    public const int MostStrange = 200;

    private readonly FleetReader fleet;
    private readonly KnownTypes types;
    private readonly TimeProvider clock;
    private readonly RateBook rates;
    private readonly Lock naming = new();
    private HashSet<string> named = [];
    private HashSet<string> namedBefore = [];
    private Reading? last;

    public DepthDuty(FleetReader fleet, KnownTypes types, BrokerLink broker, IOptions<ApiOptions> options, TimeProvider clock, ILogger<DepthDuty> logger, RedisLink? redis = null)
        : base(TimeSpan.FromSeconds(1), clock, logger)
    {
        this.fleet = fleet;
        this.types = types;
        this.clock = clock;
        rates = new RateBook(clock);
        Gauge("queuescale.queue.ready", "{job}", "Jobs that wait for a worker.", queue => queue.Ready);
        Gauge("queuescale.queue.running", "{job}", "Jobs that a worker runs.", queue => queue.Running);
        Gauge("queuescale.queue.scheduled", "{job}", "Jobs that wait for their time or their next attempt.", queue => queue.Waiting);
        Gauge("queuescale.queue.oldest", "s", "For how long the oldest ready job has been ready; 0 when none is.", queue => queue.OldestSeconds);
        Gauge("queuescale.queue.drain", "s", "What the live workers need for the ready jobs; with none alive, what one would need.", queue => queue.DrainSeconds);
        Gauge("queuescale.queue.paused", null, "1 while the queue is paused, else 0.", queue => queue.Paused ? 1 : 0);
        Gauge("queuescale.workers.live", "{worker}", "Workers that pulse and serve the queue.", queue => queue.Workers);
        Gauge("queuescale.workers.desired", "{worker}", "Workers that would finish the backlog within Api:TargetDrainTime.", queue => queue.DesiredWorkers(options.Value.TargetDrainTime));
        ApiMetrics.Meter.CreateObservableGauge("queuescale.drain.target", () => options.Value.TargetDrainTime.TotalSeconds, "s", "What the drain time of a queue should stay below: Api:TargetDrainTime.");
        DependencyGauge.Create(
            ApiMetrics.Meter,
            () => IsGood ? 1 : 0,
            () => broker.State == BrokerState.Unknown ? null : broker.State == BrokerState.Up ? 1 : 0,
            redis is null ? null : () => redis.IsUp ? 1 : 0);
    }

    /// <summary>The queues that are a job type's own or that a worker has served.</summary>
    public IEnumerable<string> KnownQueues => last?.Known ?? [];

    private bool IsGood => last is { } reading && clock.GetElapsedTime(reading.At) < GoodFor;

    /// <summary>Ready and running jobs of a queue; null while that is unknown.</summary>
    public long? Backlog(string queue) => IsGood ? last!.Backlogs.GetValueOrDefault(queue) : null;

    /// <summary>How fast a queue fills and empties; null while that is unknown.</summary>
    public QueueRates? Rates(string queue) => rates.Of(queue);

    /// <summary>A queue's name as a label.</summary>
    public string Label(string queue) => IsKnown(queue) ? queue : Hosting.Label.Other;

    /// <summary>Whether a job may name this queue: unless it is a new name, and too many have been made up already.</summary>
    public bool MayName(string queue)
    {
        var names = last?.Backlogs;
        if (IsKnown(queue) || names?.ContainsKey(queue) == true)
        {
            return true;
        }

        lock (naming)
        {
            if (named.Contains(queue) || namedBefore.Contains(queue))
            {
                return true;
            }

            return (names?.Count ?? 0) - (last?.Known.Count ?? 0) + named.Count + namedBefore.Count < MostStrange && named.Add(queue);
        }
    }

    private bool IsKnown(string queue) => last?.Known.Contains(queue) == true || types.Present.Values.Any(type => type.Registered.Queue == queue);

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(ReadLimit);
        var began = clock.GetTimestamp();
        var queues = await fleet.QueuesAsync(limit.Token);
        rates.Add(queues);
        var known = queues.Where(queue => queue.IsKnown).ToArray();
        var others = queues.Where(queue => !queue.IsKnown).ToArray();
        lock (naming)
        {
            (named, namedBefore) = ([], named); // those from before this one's start are in it
        }

        last = new Reading(began, known.Select(queue => queue.Name).ToHashSet(), others.Length > 0 ? [.. known, Together(others)] : known, queues.ToDictionary(queue => queue.Name, queue => queue.Ready + queue.Running));
        return 0;
    }

    /// <summary>Queues that exist only because somebody named them share one series.</summary>
    private static QueueFigures Together(QueueFigures[] queues) => QueueFigures.Unused(Hosting.Label.Other) with
    {
        Ready = queues.Sum(queue => queue.Ready),
        Running = queues.Sum(queue => queue.Running),
        Waiting = queues.Sum(queue => queue.Waiting),
        OldestSeconds = queues.Max(queue => queue.OldestSeconds),
    };

    private void Gauge<T>(string name, string? unit, string description, Func<QueueFigures, T> value)
        where T : struct =>
        ApiMetrics.Meter.CreateObservableGauge(
            name,
            () => IsGood ? last!.Queues.Select(queue => new Measurement<T>(value(queue), new KeyValuePair<string, object?>("queue", queue.Name))) : [],
            unit, description);

    private sealed record Reading(long At, HashSet<string> Known, IReadOnlyList<QueueFigures> Queues, IReadOnlyDictionary<string, long> Backlogs);
}
