using System.Globalization;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Top;

/// <summary>One part of the frame, whether it is drawn or printed.</summary>
/// <param name="Title">What it lists.</param>
/// <param name="Heading">The columns.</param>
/// <param name="Rows">As many cells as columns each.</param>
/// <param name="Empty">What to say where there is no row.</param>
internal sealed record TopTable(string Title, string[] Heading, IReadOnlyList<string[]> Rows, string Empty)
{
    /// <summary>The whole system in three tables.</summary>
    public static IReadOnlyList<TopTable> Of(TopSnapshot now) => [Queues(now), Workers(now), HandOvers(now)];

    private static TopTable Queues(TopSnapshot now) => new(
        "QUEUES",
        ["NAME", "STATUS", "READY", "RUNNING", "LATER", "OLDEST", "DRAINS IN", "IN/S", "OUT/S", "WORKERS"],
        [.. now.Queues.OrderBy(of => Array.IndexOf(TopQueue.Statuses, of.Status)).ThenBy(of => of.Queue.Name, StringComparer.Ordinal).Select(of => (string[])
        [
            of.Queue.Name, of.Status, Print.Number(of.Queue.Ready), Print.Number(of.Queue.Running), Print.Number(of.Queue.Waiting), Seconds(of.Queue.OldestSeconds), Seconds(of.Queue.DrainSeconds),
            Rate(of.Queue.Rates?.QueuedPerSecond), Rate(of.Queue.Rates?.EndedPerSecond), $"{of.Queue.Workers}",
        ])],
        "No queues yet: neither a worker nor a job has named one.");

    private static TopTable Workers(TopSnapshot now) => new(
        "WORKERS",
        ["NAME", "STATE", "RUNNING", "HOST", "PID", "UP FOR", "QUEUES"],
        [.. now.Workers.Select(worker => (string[])
        [
            worker.Name, worker.Draining ? "draining" : worker.Busy >= worker.Slots ? "full" : worker.Busy > 0 ? "working" : "idle", $"{worker.Busy} of {worker.Slots}",
            worker.Host, $"{worker.Pid}", Print.Short(now.At - worker.StartedAt), string.Join(',', worker.Queues),
        ])],
        "No live workers. ./queuescale up --workers 2 starts two here.");

    private static TopTable HandOvers(TopSnapshot now) => new(
        "HAND-OVERS",
        ["AGO", "TOOK", "FROM", "HOW", "TO", "TYPE", "JOB"],
        [.. now.HandOvers.Select(handOver => (string[])
        [
            Print.Short(now.At - handOver.At), string.Create(CultureInfo.InvariantCulture, $"{handOver.Seconds:0.00} s"), handOver.From, Print.Word(handOver.How), handOver.To, handOver.Type, $"{handOver.Job}",
        ])],
        "None among the running and the newest jobs.");

    private static string Seconds(double seconds) => Print.Short(TimeSpan.FromSeconds(Math.Min(seconds, TimeSpan.MaxValue.TotalSeconds / 2)));

    /// <summary>Unknown is not zero.</summary>
    private static string Rate(double? perSecond) => perSecond switch
    {
        null => "-",
        < 10 => string.Create(CultureInfo.InvariantCulture, $"{perSecond:0.0}"),
        _ => Print.Number((long)perSecond),
    };
}
