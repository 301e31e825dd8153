using Npgsql;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A queue with all that its figures are made of.</summary>
/// <param name="Name">The queue.</param>
/// <param name="Ready">Queued jobs.</param>
/// <param name="Running">Running jobs.</param>
/// <param name="Waiting">Scheduled and retrying jobs.</param>
/// <param name="OldestSeconds">Age of the oldest queued job, since it was last queued; 0 when none is.</param>
/// <param name="Workers">Live workers that serve it.</param>
/// <param name="Slots">Their slots.</param>
/// <param name="SlotsPerWorker">Slots of one worker: the mean of the live ones, else those of the last that served it.</param>
/// <param name="MeanRunSeconds">As the live workers measure it, else the last that did.</param>
/// <param name="Queued">How often jobs have been queued, ever: new ones, retries and hand-overs. Only a recount sets it back.</param>
/// <param name="Ended">Runs that have ended, ever.</param>
/// <param name="Paused">Whether none of its jobs may start.</param>
/// <param name="IsKnown">Whether it is a job type's own or a worker has served it; others exist only because somebody named them in a submission.</param>
public sealed record QueueFigures(
    string Name, long Ready, long Running, long Waiting, double OldestSeconds, int Workers, int Slots, double SlotsPerWorker, double MeanRunSeconds, long Queued, long Ended, bool Paused, bool IsKnown)
{
    /// <summary>Slots of a worker where no worker has served the queue yet: the default of Worker:Slots.</summary>
    public const int UnknownSlots = 32;

    /// <summary>Run seconds where none has been measured yet. A guess; it only has to be a number.</summary>
    public const double UnknownRunSeconds = 1;

    /// <summary>A queue that nobody has used.</summary>
    public static QueueFigures Unused(string name) => new(name, 0, 0, 0, 0, 0, 0, UnknownSlots, UnknownRunSeconds, Queued: 0, Ended: 0, Paused: false, IsKnown: false);

    /// <summary>Seconds that the live workers need for the queued jobs; with none alive, that one would need.</summary>
    public double DrainSeconds => Ready * MeanRunSeconds / (Slots > 0 ? Slots : SlotsPerWorker);

    /// <summary>Workers that would finish the backlog within <paramref name="target"/>; of a paused queue, those that its running jobs need.</summary>
    public int DesiredWorkers(TimeSpan target)
    {
        var startable = Paused ? 0 : Ready;
        return startable + Running == 0 ? 0 : (int)Math.Min(int.MaxValue, Math.Ceiling(((startable * MeanRunSeconds / target.TotalSeconds) + Running) / SlotsPerWorker));
    }
}

/// <summary>Reads queues and workers, and asks workers to drain.</summary>
public sealed class FleetReader(Database database)
{
    private const string WorkerColumns = "name, host, pid, version, queues, slots, busy, draining or drain_asked, started_at";

    private const string Alive = "dead_at is null and pulse_at > clock_timestamp() - lease";

    private const string QueuesStatement = """
        with live as (select * from workers where dead_at is null and pulse_at > clock_timestamp() - lease),
        served as (
          select q as queue, count(*)::int as workers, sum(slots)::int as slots, avg((means->'queues'->>q)::float8) as mean
          from live, unnest(queues) as q group by 1),
        counts as (
          select queue, sum(entered - "left")::bigint as ready, sum(started - ended)::bigint as running, sum(waiting)::bigint as waiting,
            sum(entered)::bigint as queued, sum(ended)::bigint as ended
          from queue_counts group by 1),
        known as (select unnest(queues) as queue from workers union select queue from job_types),
        names as (
          select queue from counts union select queue from served union select queue from job_types union select name from queues where paused)
        select n.queue, coalesce(c.ready, 0), coalesce(c.running, 0), coalesce(c.waiting, 0),
          coalesce((
            select greatest(0, extract(epoch from clock_timestamp() - min(o.at)))::float8 from (values (0::smallint), (1::smallint)) as lanes(lane)
            cross join lateral (select j.at from jobs j where j.state = 1 and j.queue = n.queue and j.lane = lanes.lane order by j.at limit 1) o), 0),
          coalesce(s.workers, 0), coalesce(s.slots, 0),
          coalesce(s.slots::float8 / s.workers, (select w.slots from workers w where n.queue = any(w.queues) order by w.pulse_at desc limit 1)),
          coalesce(s.mean, (select (w.means->'queues'->>n.queue)::float8 from workers w where w.means->'queues' ? n.queue order by w.pulse_at desc limit 1)),
          coalesce(c.queued, 0), coalesce(c.ended, 0), exists (select from queues where name = n.queue and paused), k.queue is not null
        from names n left join counts c using (queue) left join served s using (queue) left join known k using (queue)
        where $1::text[] is null or n.queue = any($1)
        order by 1
        """;

    /// <summary>The queues that hold jobs, are served, are paused, or are a job type's own.</summary>
    public async Task<IReadOnlyList<QueueFigures>> QueuesAsync(CancellationToken cancellation) => await ReadAsync(null, cancellation);

    /// <summary>One queue; zeros when nobody has used it.</summary>
    public async Task<QueueFigures> QueueAsync(string name, CancellationToken cancellation) => (await QueuesAsync([name], cancellation))[0];

    /// <summary>These queues, in this order; zeros where nobody has used one.</summary>
    public async Task<IReadOnlyList<QueueFigures>> QueuesAsync(IReadOnlyList<string> names, CancellationToken cancellation)
    {
        var used = (await ReadAsync([.. names], cancellation)).ToDictionary(queue => queue.Name);
        return [.. names.Select(name => used.GetValueOrDefault(name) ?? QueueFigures.Unused(name))];
    }

    /// <summary>The live workers, by name.</summary>
    public async Task<IReadOnlyList<WorkerInfo>> WorkersAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"select {WorkerColumns} from workers where {Alive} order by name, started_at");
        return await WorkersAsync(command, cancellation);
    }

    /// <summary>Asks the live workers of that name to hand over what they run and to end. One that comes after them under the same name is not asked.</summary>
    /// <returns>Those that were asked.</returns>
    public async Task<IReadOnlyList<WorkerInfo>> AskToDrainAsync(string name, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand($"update workers set drain_asked = true where name = $1 and {Alive} returning {WorkerColumns}").With(name);
        return await WorkersAsync(command, cancellation);
    }

    private static async Task<IReadOnlyList<WorkerInfo>> WorkersAsync(NpgsqlCommand command, CancellationToken cancellation)
    {
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var workers = new List<WorkerInfo>();
        while (await reader.ReadAsync(cancellation))
        {
            workers.Add(new WorkerInfo
            {
                Name = reader.GetString(0),
                Host = reader.GetString(1),
                Pid = reader.GetInt32(2),
                Version = reader.GetString(3),
                Queues = reader.GetFieldValue<string[]>(4),
                Slots = reader.GetInt32(5),
                Busy = reader.GetInt32(6),
                Draining = reader.GetBoolean(7),
                StartedAt = reader.GetDateTime(8),
            });
        }

        return workers;
    }

    /// <summary>Mean run seconds by job type, as the live workers measure them.</summary>
    public async Task<IReadOnlyDictionary<string, double>> MeanRunSecondsByTypeAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(
            """
            select t.key, avg(t.value::float8) from workers w, jsonb_each_text(w.means->'types') t
            where w.dead_at is null and w.pulse_at > clock_timestamp() - w.lease group by 1
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var means = new Dictionary<string, double>();
        while (await reader.ReadAsync(cancellation))
        {
            means[reader.GetString(0)] = reader.GetDouble(1);
        }

        return means;
    }

    private async Task<IReadOnlyList<QueueFigures>> ReadAsync(string[]? names, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(QueuesStatement);
        await using var reader = await command.With(names, NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Text).ExecuteReaderAsync(cancellation);
        var queues = new List<QueueFigures>();
        while (await reader.ReadAsync(cancellation))
        {
            queues.Add(new QueueFigures(
                reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetDouble(4), reader.GetInt32(5), reader.GetInt32(6),
                reader.IsDBNull(7) ? QueueFigures.UnknownSlots : reader.GetDouble(7),
                reader.IsDBNull(8) ? QueueFigures.UnknownRunSeconds : reader.GetDouble(8),
                reader.GetInt64(9), reader.GetInt64(10), reader.GetBoolean(11), reader.GetBoolean(12)));
        }

        return queues;
    }
}
