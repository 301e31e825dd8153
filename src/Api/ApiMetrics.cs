using System.Diagnostics.Metrics;

namespace QueueScale.Api;

/// <summary>What the API counts. Names and labels: docs/telemetry.md.</summary>
internal static class ApiMetrics
{
    public static readonly Meter Meter = new("QueueScale.Api");

    public static readonly Counter<long> Submitted = Meter.CreateCounter<long>("queuescale.jobs.submitted", "{job}", "Jobs that were accepted.");

    public static readonly Counter<long> Refused = Meter.CreateCounter<long>("queuescale.refused", "{request}", "Requests that were answered with a problem.");

    public static readonly Counter<long> Reconciled = Meter.CreateCounter<long>("queuescale.reconciled", "{job}", "Queued jobs whose wake-up was lost and is sent again.");

    public static readonly Counter<long> WorkerCrashes = Meter.CreateCounter<long>("queuescale.worker.crashes", "{worker}", "Workers that were declared dead.");
}
