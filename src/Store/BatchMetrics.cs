using System.Diagnostics.Metrics;

namespace QueueScale.Store;

/// <summary>What is measured of each batch. Names and labels: docs/telemetry.md.</summary>
internal static class BatchMetrics
{
    private static readonly Meter Meter = new("QueueScale.Store");

    public static readonly Histogram<int> Size = Meter.CreateHistogram(
        "queuescale.batch.size", "{row}", "Rows of one statement that saves the items of many callers.", tags: null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256, 500] });

    public static readonly Histogram<double> Wait = Meter.CreateHistogram(
        "queuescale.batch.wait", "s", "How long the first item of a batch waited before its statement was sent.", tags: null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] });

    public static KeyValuePair<string, object?> Label(string batch) => new("batch", batch);
}
