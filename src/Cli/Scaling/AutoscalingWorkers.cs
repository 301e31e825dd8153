using System.Globalization;
using System.Text.Json;
using QueueScale.Client;
using QueueScale.Local;

namespace QueueScale.Cli.Scaling;

/// <summary>Local workers, scaled as a ScaledObject says, by what the API answers about the queue: the development stand-in for KEDA.</summary>
internal sealed class AutoscalingWorkers
{
    /// <summary>Kubernetes looks this often, whatever KEDA's own interval is.</summary>
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly LocalSystem system;
    private readonly QueueScaleClient client;
    private readonly ScaledObject scaled;
    private readonly Autoscaler autoscaler;
    private readonly Tell tell;
    private readonly WorkerGroup group;
    private int replicas;

    public AutoscalingWorkers(LocalSystem system, QueueScaleClient client, ScaledObject scaled, Tell tell)
    {
        (this.system, this.client, this.scaled, this.tell) = (system, client, scaled, tell);
        autoscaler = new(scaled, TimeProvider.System);
        group = new(scaled.Queue, [scaled.Queue], scaled.ValueLocation == "backlog" ? (int)scaled.TargetValue : null); // one worker for as many jobs as it has slots
        replicas = scaled.MinReplicas;
    }

    /// <summary>Scales until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await system.ScaleAsync(group, replicas, tell, stop);
        using var timer = new PeriodicTimer(scaled.PollingInterval < LongestInterval ? scaled.PollingInterval : LongestInterval);
        while (await timer.WaitForNextTickAsync(stop))
        {
            var metric = await MetricAsync(stop);
            var wanted = autoscaler.Decide(replicas, metric);
            if (wanted == replicas)
            {
                continue;
            }

            tell("scaling", string.Create(CultureInfo.InvariantCulture, $"{scaled.Target} {replicas} -> {wanted}: {scaled.ValueLocation} of {scaled.Queue} is {metric?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}, {scaled.TargetValue} for each"));
            replicas = wanted;
            await system.ScaleAsync(group, replicas, tell, stop);
        }
    }

    /// <returns>Null where the API does not answer: unknown is not zero.</returns>
    private async Task<double?> MetricAsync(CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        try
        {
            var answer = JsonSerializer.SerializeToElement(await client.GetScaleAsync(scaled.Queue, limit.Token), JsonSerializerOptions.Web);
            return answer.TryGetProperty(scaled.ValueLocation, out var value) ? value.GetDouble() : throw new LocalProblem($"A queue's scale has no member '{scaled.ValueLocation}'.");
        }
        catch (Exception error) when (error is HttpRequestException or QueueScaleException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            tell("unknown", $"{scaled.Queue}: {error.Message}");
            return null;
        }
    }
}
