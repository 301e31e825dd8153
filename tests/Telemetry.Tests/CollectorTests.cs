using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>The text of a scrape, without any server.</summary>
public sealed class CollectorTests : IDisposable
{
    private readonly Meter meter = new($"Test.{Guid.NewGuid()}");
    private readonly MetricsCollector collector;

    public CollectorTests() => collector = new MetricsCollector(meter.Name);

    public void Dispose()
    {
        collector.Dispose();
        meter.Dispose();
    }

    [Theory]
    [InlineData("http.server.request.duration", "s", "http_server_request_duration_seconds gauge")]
    [InlineData("dotnet.gc.last_collection.heap.size", "By", "dotnet_gc_last_collection_heap_size_bytes gauge")]
    [InlineData("some.wait", "ms", "some_wait_milliseconds gauge")]
    [InlineData("db.client.operation.npgsql.prepared_ratio", "1", "db_client_operation_npgsql_prepared_ratio gauge")]
    [InlineData("kestrel.active_connections", "{connection}", "kestrel_active_connections gauge")]
    public async Task A_gauge_is_named_as_OpenTelemetry_maps_it(string name, string unit, string announced)
    {
        meter.CreateObservableGauge(name, () => 1, unit, "Help.");
        Assert.Contains($"# TYPE {announced}\n", await TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Counters_histograms_and_labels_are_written_as_the_format_says()
    {
        meter.CreateCounter<long>("jobs", "{job}", "Back\\slash and\nnew line.").Add(3, new KeyValuePair<string, object?>("a.b", "say \"hi\"\\\n"), new("on", true));
        meter.CreateCounter<double>("cpu.time", "s").Add(0.5);
        var histogram = meter.CreateHistogram("took", "s", "Took.", tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });
        histogram.Record(0.25);
        histogram.Record(0.75);
        histogram.Record(7);
        Assert.Equal(
            """
            # HELP jobs_total Back\\slash and\nnew line.
            # TYPE jobs_total counter
            jobs_total{a_b="say \"hi\"\\\n",on="true"} 3
            # TYPE cpu_time_seconds_total counter
            cpu_time_seconds_total 0.5
            # HELP took_seconds Took.
            # TYPE took_seconds histogram
            took_seconds_bucket{le="0.5"} 1
            took_seconds_bucket{le="1"} 2
            took_seconds_bucket{le="+Inf"} 3
            took_seconds_sum 8
            took_seconds_count 3

            """,
            await TextAsync());
    }

    [Fact]
    public async Task What_is_not_observed_any_more_is_not_shown_any_more()
    {
        var known = true;
        meter.CreateObservableGauge("depth", () => known ? [new Measurement<int>(5, new KeyValuePair<string, object?>("queue", "a"))] : (Measurement<int>[])[]);
        meter.CreateCounter<int>("other").Add(1);
        Assert.Contains("depth{queue=\"a\"} 5\n", await TextAsync(), StringComparison.Ordinal);
        known = false;
        Assert.DoesNotContain("depth", await TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_scrape_of_500_series_is_cheap()
    {
        var counter = meter.CreateCounter<long>("jobs");
        var histogram = meter.CreateHistogram<double>("took", "s");
        for (var n = 0; n < 250; n++)
        {
            counter.Add(1, new("queue", $"queue-{n}"), new("type", "some.type"));
            if (n < 17)
            {
                histogram.Record(n, new KeyValuePair<string, object?>("queue", $"queue-{n}")); // 17 x 18 lines and those above: over 500
            }
        }

        await MeasureAsync(); // the first one compiles and makes room
        var (lines, allocated, took) = await MeasureAsync();
        Assert.True(lines > 500, $"{lines} lines");
        Assert.InRange(allocated, 0, 300_000);
        Assert.InRange(took.TotalMilliseconds, 0, 5);

        async Task<(int Lines, long Bytes, TimeSpan Took)> MeasureAsync()
        {
            var best = (Lines: 0, Bytes: long.MaxValue, Took: TimeSpan.MaxValue);
            for (var round = 0; round < 20; round++)
            {
                var (bytes, began) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
                var text = await TextAsync();
                var took = Stopwatch.GetElapsedTime(began);
                best = (text.Count(letter => letter == '\n'), Math.Min(best.Bytes, GC.GetAllocatedBytesForCurrentThread() - bytes), took < best.Took ? took : best.Took);
            }

            return best;
        }
    }

    private async Task<string> TextAsync()
    {
        using var body = new MemoryStream();
        await collector.AnswerAsync(new DefaultHttpContext { Response = { Body = body } }.Response);
        return System.Text.Encoding.UTF8.GetString(body.ToArray());
    }
}
