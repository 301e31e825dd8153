using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Makes the jobs of schedules whose tick has come, by the database's clock. Of ticks that nobody has made in their time, the latest makes the one job.</summary>
internal sealed partial class ScheduleDuty(Ticks ticks, WakeUps wakeUps, DepthDuty depth, KnownTypes types, TimeProvider clock, ILogger<ScheduleDuty> logger)
    : DutyLoop(TimeSpan.FromMilliseconds(250), clock, logger)
{
    private readonly ILogger logger = logger;
    private readonly HashSet<(int, string, string, string)> unreadable = [];

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        for (var total = 0; ;)
        {
            var due = (await ticks.DueAsync(cancellation)).Select(TickOf).OfType<Tick>().ToArray();
            var queued = due.Length == 0 ? [] : await ticks.MakeAsync(due, cancellation);
            Tell(due, queued);
            wakeUps.Send(queued); // not waited for: a broker that hangs must not make the next tick late
            total += queued.Count;
            if (queued.Count < Ticks.PageSize)
            {
                return total;
            }
        }
    }

    private Tick? TickOf(DueSchedule schedule)
    {
        string? wrong = ZoneName.Rule;
        if (ZoneName.Find(schedule.Zone) is not { } zone || CronTimes.Read(schedule.Cron, zone, out wrong) is not { } times)
        {
            if (unreadable.Add((schedule.Tenant, schedule.Name, schedule.Cron, schedule.Zone)))
            {
                Log.Unreadable(logger, schedule.Name, schedule.Cron, schedule.Zone, wrong!);
            }

            return null;
        }

        var latest = times.Latest(schedule.Due, schedule.Now);
        return new Tick(schedule, latest, times.Next(latest), Guid.CreateVersion7());
    }

    private void Tell(Tick[] due, IReadOnlyList<QueuedJob> queued)
    {
        foreach (var alike in queued.CountBy(job => (job.Queue, job.Type)))
        {
            ApiMetrics.Submitted.Add(alike.Value, new("queue", depth.Label(alike.Key.Queue)), new("type", types.Label(alike.Key.Type)));
        }

        foreach (var late in due.Where(tick => tick.At != tick.Schedule.Due).IntersectBy(queued.Select(job => job.Id), tick => tick.Job))
        {
            Log.Missed(logger, late.Schedule.Name, late.Schedule.Due, late.Job, late.At);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3501, LogLevel.Information, "Schedule {Schedule} was due at {Due:u} and again since, and nobody was there: job {JobId} is made for its latest tick, {Tick:u}, and none for the others")]
        public static partial void Missed(ILogger logger, string schedule, DateTime due, Guid jobId, DateTime tick);

        [LoggerMessage(3502, LogLevel.Error, "Schedule {Schedule} cannot be followed here: {Cron} in {TimeZone} {Reason}. Are this machine's time zones older than another's? Its job is made as soon as one that knows it runs")]
        public static partial void Unreadable(ILogger logger, string schedule, string cron, string timeZone, string reason);
    }
}
