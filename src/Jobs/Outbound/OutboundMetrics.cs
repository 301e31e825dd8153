using System.Diagnostics.Metrics;

namespace QueueScale.Jobs;

/// <summary>What is counted of requests to other hosts. Names and labels: docs/telemetry.md.</summary>
internal sealed class OutboundMetrics : IDisposable
{
    private const string Other = "_other";

    private readonly Counter<long> requests;
    private readonly Histogram<double> seconds;
    private readonly HostSlots slots;
    private readonly IReadOnlySet<string> named;

    internal Meter Meter { get; } = new("QueueScale.Jobs");

    /// <param name="slots">Says what is under way.</param>
    /// <param name="named">Hosts that have a label of their own, those of the settings. All others are named by inputs, and what callers send is no label.</param>
    public OutboundMetrics(HostSlots slots, IReadOnlySet<string> named)
    {
        (this.slots, this.named) = (slots, named);
        requests = Meter.CreateCounter<long>("queuescale.outbound.requests", "{request}", "Requests that jobs sent to other hosts, redirects included.");
        requests.Add(0, new KeyValuePair<string, object?>("host", Other)); // a counter that is not there yet has no rate when it comes
        seconds = Meter.CreateHistogram(
            "queuescale.outbound", "s", "How long other hosts took to answer, to the end of the headers.", tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });
        Meter.CreateObservableGauge(
            "queuescale.outbound.in_use", () => ByHost(host => host.InUse), "{request}", "Requests to other hosts that are under way, to the end of the file.");
        Meter.CreateObservableGauge(
            "queuescale.outbound.waiting", () => ByHost(host => host.Waiting), "{run}", "Runs that wait because Jobs:Outbound:MaxPerHost requests to the host are under way.");
    }

    /// <param name="host">Who was asked.</param>
    /// <param name="answeredAfter">Null where it did not answer.</param>
    public void Asked(string host, TimeSpan? answeredAfter)
    {
        var label = new KeyValuePair<string, object?>("host", LabelOf(host));
        requests.Add(1, label);
        if (answeredAfter is { } took) seconds.Record(took.TotalSeconds, label);
    }

    public void Dispose() => Meter.Dispose();

    private IEnumerable<Measurement<int>> ByHost(Func<HostLoad, int> value)
    {
        var sums = named.Append(Other).ToDictionary(label => label, _ => 0);
        foreach (var host in slots.Now()) sums[LabelOf(host.Name)] = sums.GetValueOrDefault(LabelOf(host.Name)) + value(host);
        return sums.Select(sum => new Measurement<int>(sum.Value, new KeyValuePair<string, object?>("host", sum.Key)));
    }

    private string LabelOf(string host) => named.Contains(host) ? host : Other;
}
