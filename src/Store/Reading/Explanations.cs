using System.Globalization;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>Says why a job waits.</summary>
public sealed class Explanations(Database database, FleetReader fleet)
{
    private const int MostCounted = 100_000;

    /// <summary>Null when there is no such job.</summary>
    public async Task<JobExplanation?> ExplainAsync(Guid id, int tenant, CancellationToken cancellation)
    {
        JobState state;
        string queue, type;
        bool canRun;
        DateTime now;
        DateTime? runAt;
        long before;
        await using (var command = database.General.CreateCommand(
            $"""
            select j.state, j.queue, j.run_at, clock_timestamp(), j.type,
              exists (select from workers w where w.dead_at is null and w.pulse_at > clock_timestamp() - w.lease and j.queue = any(w.queues) and (w.types is null or j.type = any(w.types))),
              case when j.state = 1 then
                (select count(*) from (select 1 from jobs b where b.state = 1 and b.queue = j.queue and b.lane = j.lane and b.at < j.at limit {MostCounted}) as same)
                + (select count(*) from (select 1 from jobs b where b.state = 1 and b.queue = j.queue and b.lane > j.lane limit {MostCounted}) as front) else 0 end
            from jobs j where j.id = $1 and j.tenant = $2
            """).With(id).With(tenant))
        {
            await using var reader = await command.ExecuteReaderAsync(cancellation);
            if (!await reader.ReadAsync(cancellation))
            {
                return null;
            }

            (state, queue, runAt, now) = ((JobState)reader.GetInt16(0), reader.GetString(1), reader.TimeOrNull(2), reader.GetDateTime(3));
            (type, canRun, before) = (reader.GetString(4), reader.GetBoolean(5), Math.Min(MostCounted, reader.GetInt64(6)));
        }

        var figures = await fleet.QueueAsync(queue, cancellation);
        var (reason, text) = state switch
        {
            JobState.Running => (WaitReason.Running, "It runs."),
            JobState.Scheduled => (WaitReason.Scheduled, $"It waits for its time, {Text(runAt!.Value)}."),
            JobState.Retrying => (WaitReason.Retrying, $"Its last run did not end well, and the next one is due at {Text(runAt!.Value)}. GET /v1/jobs/{id} has the error."),
            not JobState.Queued => (WaitReason.Final, "It has ended."),
            _ when figures.Paused => (WaitReason.Paused, $"The queue {queue} is paused: no job of it starts before POST /v1/queues/{queue}/resume."),
            _ when figures.Workers == 0 => (WaitReason.NoWorker, $"No worker that is alive serves the queue {queue}. Start one, or look why those that should do not pulse."),
            _ when !canRun => (WaitReason.NoWorker, $"None of the {figures.Workers} live workers of the queue {queue} has the job type {type}. Start one that has."),
            _ when before > 0 => (WaitReason.Behind, $"{before}{(before == MostCounted ? " or more" : "")} jobs are taken before it by {figures.Slots} slots of {figures.Workers} workers."),
            _ => (WaitReason.Next, $"It is its turn; {figures.Slots} slots of {figures.Workers} workers serve its queue, and {figures.Running} jobs run."),
        };
        return new JobExplanation
        {
            Id = id,
            State = state,
            Reason = reason,
            Text = text,
            Before = state == JobState.Queued ? before : null,
            Workers = figures.Workers,
            Slots = figures.Slots,
            StartsAt = reason switch
            {
                WaitReason.Scheduled or WaitReason.Retrying => runAt,
                WaitReason.Behind or WaitReason.Next => now.AddSeconds(before * figures.MeanRunSeconds / figures.Slots),
                _ => null,
            },
        };
    }

    private static string Text(DateTime at) => at.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
