using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>A worker's readiness, with the depth of the queues that it serves.</summary>
/// <param name="Status">starting, ready, backlogged, draining or disconnected.</param>
/// <param name="Queues">The queues, as PostgreSQL counts them; empty while that is not known.</param>
/// <param name="Checks">What the status is made of. <c>depth</c> alone fails no readiness.</param>
public sealed record ReadinessReport(string Status, IReadOnlyList<QueueReadiness> Queues, IReadOnlyDictionary<string, CheckResult> Checks);

/// <summary>One queue of the worker.</summary>
/// <param name="Name">The queue.</param>
/// <param name="Ready">Queued jobs.</param>
/// <param name="Running">Running jobs, of all workers.</param>
/// <param name="OldestSeconds">Age of the oldest queued job.</param>
/// <param name="Slots">Slots of this worker. All its queues share them.</param>
/// <param name="Busy">Slots of this worker with a run of the queue.</param>
/// <param name="DrainSeconds">Seconds that all live workers need for the queued jobs.</param>
public sealed record QueueReadiness(string Name, long Ready, long Running, double OldestSeconds, int Slots, int Busy, double DrainSeconds);

/// <summary>Says whether the worker takes jobs: connected, consuming or full, and not draining.</summary>
/// <remarks>MassTransit's own check is not used: it calls an endpoint that is paused because all slots are full degraded.</remarks>
internal sealed class Readiness
{
    private const string Postgres = "postgres";
    private const string RabbitMq = "rabbitmq";
    private const string Consuming = "consuming";
    private const string Depth = "depth";

    private static readonly TimeSpan DepthLimit = TimeSpan.FromSeconds(2);

    private readonly WorkerLife life;
    private readonly PulseThread pulse;
    private readonly BrokerLink broker;
    private readonly Intake intake;
    private readonly Slots slots;
    private readonly WorkerQueues queues;
    private readonly FleetReader fleet;
    private readonly ReadinessOptions options;
    private readonly DependencyChecks dependencies;
    private IReadOnlyList<QueueFigures> figures = [];

    public Readiness(
        WorkerLife life, PulseThread pulse, BrokerLink broker, Intake intake, Slots slots, WorkerQueues queues, FleetReader fleet, IOptions<WorkerOptions> options)
    {
        (this.life, this.pulse, this.broker, this.intake, this.slots, this.queues, this.fleet) = (life, pulse, broker, intake, slots, queues, fleet);
        this.options = options.Value.Readiness;
        dependencies = new(
            TimeProvider.System,
            new DependencyCheck(RabbitMq, () => broker.State == BrokerState.Up ? broker.AskAsync() : Task.CompletedTask), // what the link knows need not be asked
            new DependencyCheck(Depth, ReadDepthAsync));
    }

    public async Task<(bool Ready, ReadinessReport Report)> ReportAsync()
    {
        var answers = await dependencies.AskAsync();
        var checks = new Dictionary<string, CheckResult>
        {
            [Postgres] = CheckResult.Of(!pulse.IsAlive ? "no pulse reaches it" : intake.DatabaseAway ? "the last claim was not answered" : null, pulse.Took),
            [RabbitMq] = broker.State == BrokerState.Up ? answers[RabbitMq] : CheckResult.Of("not connected"),
            [Consuming] = CheckResult.Of(NotConsuming()),
            [Depth] = answers[Depth],
        };
        var known = checks[Depth].IsOk ? figures : []; // unknown is not zero
        var status = pulse.Draining ? "draining"
            : !life.HasStarted ? "starting"
            : !checks[Postgres].IsOk || !checks[RabbitMq].IsOk || !checks[Consuming].IsOk ? "disconnected"
            : known.Any(queue => !queue.Paused && queue.DrainSeconds > options.MaxDrainTime.TotalSeconds) ? "backlogged" : "ready";
        return (status == "ready" || (status == "backlogged" && !options.FailWhenBacklogged), new ReadinessReport(status, WithOwn(known), checks));
    }

    /// <summary>Why no job is taken; null when some are, or when all slots are full or were so until a moment ago.</summary>
    private string? NotConsuming() =>
        intake.IsFull ? null
        : intake.IsPaused ? "paused"
        : life.Endpoints.Count > 0 && life.Endpoints.All(endpoint => endpoint.IsConsuming) ? null : "not consuming";

    private async Task ReadDepthAsync()
    {
        using var limit = new CancellationTokenSource(DepthLimit);
        figures = await fleet.QueuesAsync(queues.Names, limit.Token);
    }

    private IReadOnlyList<QueueReadiness> WithOwn(IReadOnlyList<QueueFigures> known)
    {
        var busy = slots.Busy;
        return [.. known.Select(queue => new QueueReadiness(
            queue.Name, queue.Ready, queue.Running, Math.Round(queue.OldestSeconds, 3), slots.Size, busy.GetValueOrDefault(queue.Name), Math.Round(queue.DrainSeconds, 3)))];
    }
}
