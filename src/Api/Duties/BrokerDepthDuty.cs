using System.Diagnostics.Metrics;
using QueueScale.Bus;
using QueueScale.Hosting;

namespace QueueScale.Api;

/// <summary>Asks RabbitMQ now and then how many wake-ups wait in each known queue. These are messages, not jobs: one names up to 64 of them.</summary>
internal sealed class BrokerDepthDuty : DutyLoop
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GoodFor = 3 * Interval;

    private readonly DepthDuty depth;
    private readonly BrokerLink broker;
    private readonly TimeProvider clock;
    private Reading? last;

    public BrokerDepthDuty(DepthDuty depth, BrokerLink broker, TimeProvider clock, ILogger<BrokerDepthDuty> logger)
        : base(Interval, clock, logger)
    {
        this.depth = depth;
        this.broker = broker;
        this.clock = clock;
        ApiMetrics.Meter.CreateObservableGauge(
            "queuescale.broker.messages",
            () => last is { } read && clock.GetElapsedTime(read.At) < GoodFor && broker.State == BrokerState.Up
                ? read.Messages.Select(queue => new Measurement<long>(queue.Value, new KeyValuePair<string, object?>("queue", queue.Key)))
                : [],
            "{message}", "Wake-ups that wait in RabbitMQ and no worker holds, both lanes.");
    }

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        if (broker.State == BrokerState.Up)
        {
            var began = clock.GetTimestamp();
            last = new Reading(began, await broker.MessagesAsync(depth.KnownQueues, cancellation));
        }

        return 0;
    }

    private sealed record Reading(long At, IReadOnlyDictionary<string, long> Messages);
}
