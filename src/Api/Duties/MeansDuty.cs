using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Keeps the mean run seconds of each job type at hand, which say how many jobs go into one wake-up.</summary>
internal sealed class MeansDuty(FleetReader fleet, TimeProvider clock, ILogger<MeansDuty> logger) : DutyLoop(TimeSpan.FromSeconds(1), clock, logger)
{
    private IReadOnlyDictionary<string, double> means = new Dictionary<string, double>();

    /// <summary>Mean run seconds of a type; null while unknown.</summary>
    public double? Of(string type) => means.TryGetValue(type, out var mean) ? mean : null;

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        means = await fleet.MeanRunSecondsByTypeAsync(cancellation);
        return 0;
    }
}
