using System.Globalization;
using System.Text.Json;
using QueueScale.Client;
using QueueScale.Contracts;
using QueueScale.Local;

namespace QueueScale.Cli.Scaling;

/// <summary>Local workers, scaled as a ScaledObject says, by what the API answers about the queue: the development stand-in for KEDA.</summary>
internal sealed class AutoscalingWorkers
{
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
        group = new(scaled.Queue, [scaled.Queue], scaled.Slots);
        replicas = scaled.MinReplicas;
    }

    /// <summary>Scales until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await system.ScaleAsync(group, replicas, tell, stop);
        using var timer = new PeriodicTimer(autoscaler.Interval);
        while (await timer.WaitForNextTickAsync(stop))
        {
            var metric = await MetricAsync(stop);
            var wanted = autoscaler.Decide(replicas, metric);
            if (wanted == replicas)
            {
                if (system.RunningNames() is var names && Enumerable.Range(1, replicas).Select(group.NameOf).FirstOrDefault(name => !names.Contains(name)) is { } ended)
                {
                    tell("scaling", $"{ended} has ended by itself and is started again"); // as a Deployment does
                    await system.ScaleAsync(group, replicas, tell, stop);
                }

                continue;
            }

            tell("scaling", string.Create(CultureInfo.InvariantCulture, $"{scaled.Target} {replicas} -> {wanted}: {scaled.ValueLocation} of {scaled.Queue} is {metric?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}, {scaled.TargetValue} for each"));
            replicas = wanted;
            await system.ScaleAsync(group, replicas, tell, stop);
        }
    }

    /// <summary>The member that counts.</summary>
    public static double ValueOf(ScaledObject scaled, QueueScaleInfo scale) =>
        JsonSerializer.SerializeToElement(scale, JsonSerializerOptions.Web).TryGetProperty(scaled.ValueLocation, out var value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : throw new LocalProblem($"A queue's scale has no number '{scaled.ValueLocation}'.");

    /// <returns>Null where the API does not answer: unknown is not zero.</returns>
    private async Task<double?> MetricAsync(CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        try
        {
            return ValueOf(scaled, await client.GetScaleAsync(scaled.Queue, limit.Token));
        }
        catch (Exception error) when (error is HttpRequestException or QueueScaleException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            tell("unknown", $"{scaled.Queue}: {error.Message}");
            return null;
        }
    }
}
