using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A lane with queued jobs, and what is known of its wake-ups.</summary>
/// <param name="Queue">The queue.</param>
/// <param name="Lane">The lane.</param>
/// <param name="Turn">Its present turn.</param>
/// <param name="Fed">Queued jobs up to here were sent.</param>
/// <param name="OldestSeconds">Age of its oldest queued job that was sent; null when none was.</param>
/// <param name="Seen">The greatest wake-up of the present turn that any worker has settled; null when none was.</param>
/// <param name="ProbeAt">What the last probe of the present turn carries; null when none was sent.</param>
/// <param name="ProbeAgeSeconds">How long ago it was sent.</param>
/// <param name="Probes">How many probes went unanswered in a row; 0: the last one could not be sent.</param>
public readonly record struct LaneEvidence(
    string Queue, short Lane, int Turn, DateTime Fed, double? OldestSeconds, DateTime? Seen, DateTime? ProbeAt, double? ProbeAgeSeconds, int Probes);

/// <summary>Finds queued jobs whose wake-up was lost, and has them sent again.</summary>
/// <remarks>Within one turn a lane carries its wake-ups nearly in the order of <c>at</c>. So when one has been settled, queued jobs of that turn that are
/// more than a margin older have lost theirs. This costs nothing per job. docs/decisions, "reconcile".</remarks>
public sealed class Reconciliation(Database database)
{
    /// <summary>Wake-ups of one turn can overtake each other by less than this: submit's deadline and a send's deadline.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    /// <summary>So many lost at once mean that the broker lost much: then the lane is sent again from there, and no job row is written.</summary>
    public const int PageSize = 1000;

    private static readonly string Lost = $"""
        select id from jobs where state = 1 and queue = $1 and lane = $2 and at <= $3 and at < $4::timestamptz - '{Margin.TotalSeconds} s'::interval
        order by at limit {PageSize}
        """;

    /// <summary>The lanes that have queued jobs, but for those of paused queues: there, wake-ups are settled and no job of theirs is claimed.</summary>
    public async Task<IReadOnlyList<LaneEvidence>> EvidenceAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            """
            with depth as (
              select queue, lane, sum(entered - "left") as ready from queue_counts group by 1, 2 having sum(entered - "left") > 0),
            seen as (
              select s.lane as key, s.turn, max(s.at) as at from workers w, unnest(w.seen_lane, w.seen_turn, w.seen_at) as s(lane, turn, at)
              where w.pulse_at > clock_timestamp() - '1 h'::interval group by 1, 2)
            select d.queue, d.lane, coalesce(l.turn, 0), coalesce(l.fed, 'infinity'),
              extract(epoch from clock_timestamp() - o.at)::float8, case when s.at < clock_timestamp() then s.at when s.at is not null then clock_timestamp() end,
              l.probe_at, extract(epoch from clock_timestamp() - l.probe_sent)::float8, coalesce(l.probes, 0)
            from depth d
            left join lanes l using (queue, lane)
            left join seen s on s.key = d.queue || '/' || d.lane and s.turn = coalesce(l.turn, 0)
            left join lateral (
              select j.at from jobs j where j.state = 1 and j.queue = d.queue and j.lane = d.lane and j.at <= coalesce(l.fed, 'infinity')
              order by j.at limit 1) o on true
            where not exists (select from queues q where q.name = d.queue and q.paused)
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var lanes = new List<LaneEvidence>();
        while (await reader.ReadAsync(cancellation))
        {
            lanes.Add(new LaneEvidence(
                reader.GetString(0), reader.GetInt16(1), reader.GetInt32(2), reader.GetDateTime(3),
                reader.IsDBNull(4) ? null : reader.GetDouble(4), reader.TimeOrNull(5), reader.TimeOrNull(6), reader.IsDBNull(7) ? null : reader.GetDouble(7), reader.GetInt32(8)));
        }

        return lanes;
    }

    /// <summary>How many of the lane's jobs have lost their wake-up, counted up to <see cref="PageSize"/>.</summary>
    /// <param name="lane">The lane.</param>
    /// <param name="seen">A wake-up of the present turn that was settled.</param>
    public async Task<int> CountLostAsync(LaneEvidence lane, DateTime seen, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select count(*)::int from ({Lost}) as lost");
        return (int)(await command.With(lane.Queue).With(lane.Lane).With(lane.Fed).With(seen).ExecuteScalarAsync(cancellation))!;
    }

    /// <summary>Gives less than a page of lost jobs a new dispatch and a new place.</summary>
    public async Task<IReadOnlyList<QueuedJob>> RequeueLostAsync(LaneEvidence lane, DateTime seen, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            $"""
            with lost as ({Lost} for no key update skip locked),
            u as (
              update jobs j set dispatch = j.dispatch + 1, at = clock_timestamp() from lost where j.id = lost.id
              returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at)
            select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', 1::smallint
            from u left join lanes l using (queue, lane)
            """);
        return await command.With(lane.Queue).With(lane.Lane).With(lane.Fed).With(seen).QueuedJobsAsync(cancellation);
    }

    /// <summary>Moves the lane back to before its oldest queued job and starts a new turn; the feeder sends it again in order.</summary>
    public async Task RewindAsync(LaneEvidence lane, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            """
            insert into lanes as l (queue, lane, fed, turn)
            select $1, $2, min(at) - '1 us'::interval, $3 + 1 from (select at from jobs where state = 1 and queue = $1 and lane = $2 order by at limit 1) as oldest having count(*) > 0
            on conflict (queue, lane) do update set fed = excluded.fed, turn = excluded.turn, probe_at = null, probe_sent = null, probes = 0
            where l.turn = $3 and excluded.fed < l.fed
            """);
        await command.With(lane.Queue).With(lane.Lane).With(lane.Turn).ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Notes that a probe is about to be sent.</summary>
    /// <returns>The probe; null when another process was faster or the lane has moved.</returns>
    public async Task<JobsReady?> ProbeAsync(LaneEvidence lane, CancellationToken cancellation)
    {
        // In a closed lane everything up to fed has been sent before the probe, and only that: with the margin on top it proves no less and no more.
        await using var command = database.General.CreateCommand(
            $"""
            insert into lanes as l (queue, lane, turn, probe_at, probe_sent, probes) values ($1, $2, $3, clock_timestamp(), clock_timestamp(), 1)
            on conflict (queue, lane) do update
              set probe_at = least(l.fed + '{Margin.TotalSeconds} s'::interval, clock_timestamp()), probe_sent = clock_timestamp(), probes = case when $5 then 1 else l.probes + 1 end
            where l.turn = $3 and l.probe_at is not distinct from $4
            returning l.probe_at
            """);
        var answered = lane.Seen >= lane.ProbeAt;
        return await command.With(lane.Queue).With(lane.Lane).With(lane.Turn).With(lane.ProbeAt, NpgsqlTypes.NpgsqlDbType.TimestampTz).With(answered).ExecuteScalarAsync(cancellation) is DateTime at
            ? new JobsReady(lane.Queue, lane.Lane, lane.Turn, at, [])
            : null;
    }

    /// <summary>Notes that a probe could not be sent, so that nobody waits for its answer.</summary>
    public async Task NoteUnsentAsync(JobsReady probe, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("update lanes set probes = 0 where queue = $1 and lane = $2 and turn = $3 and probe_at = $4");
        await command.With(probe.Queue).With(probe.Lane).With(probe.Turn).With(probe.At).ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>After a broker came back or a queue was declared anew: probes on their way may be lost, so the next pass may send others at once.</summary>
    public async Task ForgetProbesAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("update lanes set probe_at = null, probe_sent = null, probes = 0 where probe_at is not null");
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
