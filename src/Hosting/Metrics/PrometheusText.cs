using System.Buffers;
using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace QueueScale.Hosting;

/// <summary>Writes what was collected as Prometheus text, format 0.0.4.</summary>
/// <remarks>OpenTelemetry's own exporter is not in the package feed. What is not observed in one collection is not written: unknown is absent, never 0.</remarks>
internal sealed class PrometheusText : BaseExporter<Metric>
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly ArrayBufferWriter<byte> text = new(64 * 1024);
    private readonly ArrayBufferWriter<byte> labels = new();
    private readonly Dictionary<Metric, Family> families = [];

    /// <summary>The last collection.</summary>
    public ReadOnlySpan<byte> Written => text.WrittenSpan;

    public override ExportResult Export(in Batch<Metric> batch)
    {
        text.ResetWrittenCount();
        foreach (var metric in batch)
        {
            if (FamilyOf(metric) is { IsWritten: true } family)
            {
                Write(metric, family);
            }
        }

        return ExportResult.Success;
    }

    private void Write(Metric metric, Family family)
    {
        var any = false;
        foreach (ref readonly var point in metric.GetMetricPoints())
        {
            if (!any)
            {
                text.Write(family.Head);
                any = true;
            }

            WriteLabels(point.Tags);
            switch (metric.MetricType)
            {
                case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                    WriteSample(family.Name, point.GetSumLong());
                    break;
                case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                    WriteSample(family.Name, point.GetSumDouble());
                    break;
                case MetricType.LongGauge:
                    WriteSample(family.Name, point.GetGaugeLastValueLong());
                    break;
                case MetricType.DoubleGauge:
                    WriteSample(family.Name, point.GetGaugeLastValueDouble());
                    break;
                case MetricType.Histogram:
                    WriteHistogram(family, point);
                    break;
            }
        }
    }

    private void WriteHistogram(Family family, in MetricPoint point)
    {
        var below = 0L;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            below += bucket.BucketCount;
            text.Write(family.Bucket);
            text.Write("{"u8);
            text.Write(labels.WrittenSpan);
            text.Write(labels.WrittenCount > 0 ? ",le=\""u8 : "le=\""u8);
            WriteNumber(bucket.ExplicitBound);
            text.Write("\"} "u8);
            WriteNumber(below);
            text.Write("\n"u8);
        }

        WriteSample(family.Sum, point.GetHistogramSum());
        WriteSample(family.Count, point.GetHistogramCount());
    }

    private void WriteSample<T>(byte[] name, T value)
        where T : IUtf8SpanFormattable
    {
        text.Write(name);
        if (labels.WrittenCount > 0)
        {
            text.Write("{"u8);
            text.Write(labels.WrittenSpan);
            text.Write("}"u8);
        }

        text.Write(" "u8);
        WriteNumber(value);
        text.Write("\n"u8);
    }

    private void WriteNumber<T>(T value)
        where T : IUtf8SpanFormattable
    {
        if (value is double special && !double.IsFinite(special))
        {
            text.Write(double.IsNaN(special) ? "NaN"u8 : special > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }

        value.TryFormat(text.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
        text.Advance(written);
    }

    private void WriteLabels(ReadOnlyTagCollection tags)
    {
        labels.ResetWrittenCount();
        foreach (var (name, value) in tags)
        {
            if (labels.WrittenCount > 0)
            {
                labels.Write(","u8);
            }

            foreach (var letter in name)
            {
                labels.Write([char.IsAsciiLetterOrDigit(letter) ? (byte)letter : (byte)'_']);
            }

            labels.Write("=\""u8);
            WriteEscaped(labels, value switch
            {
                string known => known,
                bool yes => yes ? "true" : "false",
                _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
            }, quotes: true);
            labels.Write("\""u8);
        }
    }

    private static void WriteEscaped(ArrayBufferWriter<byte> to, string value, bool quotes)
    {
        if (value.AsSpan().ContainsAny('\\', '\n', '"'))
        {
            value = value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
            value = quotes ? value.Replace("\"", "\\\"", StringComparison.Ordinal) : value;
        }

        Encoding.UTF8.GetBytes(value, to);
    }

    private Family FamilyOf(Metric metric)
    {
        if (!families.TryGetValue(metric, out var family))
        {
            var name = MetricName.Of(metric.Name, metric.Unit, metric.MetricType);
            var head = new ArrayBufferWriter<byte>();
            if (metric.Description.Length > 0)
            {
                Encoding.UTF8.GetBytes($"# HELP {name} ", head);
                WriteEscaped(head, metric.Description, quotes: false);
                head.Write("\n"u8);
            }

            var type = metric.MetricType is MetricType.Histogram ? "histogram" : MetricName.IsCounter(metric.MetricType) ? "counter" : "gauge";
            Encoding.UTF8.GetBytes($"# TYPE {name} {type}\n", head);

            // A name may stand once in a scrape; exponential histograms have no form in this format.
            var isWritten = metric.MetricType != MetricType.ExponentialHistogram && families.Values.All(other => other.Text != name);
            families.Add(metric, family = new Family(name, head.WrittenSpan.ToArray(), isWritten));
        }

        return family;
    }

    private sealed class Family(string name, byte[] head, bool isWritten)
    {
        public string Text => name;

        public bool IsWritten => isWritten;

        public byte[] Head => head;

        public byte[] Name { get; } = Encoding.UTF8.GetBytes(name);

        public byte[] Bucket { get; } = Encoding.UTF8.GetBytes($"{name}_bucket");

        public byte[] Sum { get; } = Encoding.UTF8.GetBytes($"{name}_sum");

        public byte[] Count { get; } = Encoding.UTF8.GetBytes($"{name}_count");
    }
}
