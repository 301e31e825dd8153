using System.Diagnostics.Metrics;
using QueueScale.Bus;
using QueueScale.Hosting;

namespace QueueScale.Worker;

/// <summary>What metrics show of the worker's present state.</summary>
internal sealed class WorkerGauges
{
    public WorkerGauges(WorkerQueues queues, Slots slots, Runner runner, PulseThread pulse, BrokerLink broker)
    {
        WorkerMetrics.Meter.CreateObservableGauge(
            "queuescale.worker.slots", () => queues.Names.Select(queue => OfQueue(slots.Size, queue)), "{slot}", "Slots of the worker. All its queues share them, so each shows them all.");
        WorkerMetrics.Meter.CreateObservableGauge("queuescale.worker.busy", Busy, "{slot}", "Slots of the worker with a run of the queue.");
        WorkerMetrics.Meter.CreateObservableGauge(
            "queuescale.drain", () => runner.DrainingFor is { } since ? [new Measurement<double>(since.TotalSeconds)] : (Measurement<double>[])[], "s", "For how long the worker has been draining; absent while it is not.");
        DependencyGauge.Create(
            WorkerMetrics.Meter,
            () => pulse.IsAlive ? 1 : 0,
            () => broker.State == BrokerState.Unknown ? null : broker.State == BrokerState.Up ? 1 : 0);

        IEnumerable<Measurement<int>> Busy()
        {
            var running = slots.Busy;
            return queues.Names.Select(queue => OfQueue(running.GetValueOrDefault(queue), queue));
        }
    }

    private static Measurement<int> OfQueue(int value, string queue) => new(value, new KeyValuePair<string, object?>("queue", queue));
}
