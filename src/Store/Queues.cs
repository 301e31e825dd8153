namespace QueueScale.Store;

/// <summary>Pausing and resuming queues. No job row is written: the lanes of a paused queue are closed before their first job, and claims leave its jobs alone.</summary>
public sealed class Queues(Database database)
{
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(5);

    /// <summary>Wake-ups that are on their way are void from now on, so everything counts as parked. An API of a version that knows no pauses may have opened a lane of a paused queue: it is closed again.</summary>
    private const string Pause = """
        with q as (
          insert into queues as q (name, paused) values ($1, true) on conflict (name) do update set paused = true
          returning name)
        insert into lanes as l (queue, lane, fed, turn)
        select q.name, v.lane, '-infinity', 1 from q, (values (0::smallint), (1::smallint)) as v(lane) order by 1, 2
        on conflict (queue, lane) do update set fed = excluded.fed, turn = l.turn + 1, probe_at = null, probe_sent = null, probes = 0 where l.fed > '-infinity'
        """;

    /// <summary>The feeder begins anew with the oldest job, in a new turn.</summary>
    private const string Resume = """
        with q as (
          update queues set paused = false, resumed_at = clock_timestamp() where name = $1 and paused
          returning name)
        update lanes l set fed = '-infinity', turn = l.turn + 1, probe_at = null, probe_sent = null, probes = 0 from q where l.queue = q.name
        """;

    /// <summary>Pauses a queue; one that is paused stays so. When this returns, no further job of it starts.</summary>
    public async Task PauseAsync(string queue, CancellationToken cancellation)
    {
        await using (var command = database.General.CreateCommand(Pause).With(queue))
        {
            await command.ExecuteNonQueryAsync(cancellation);
        }

        await ClaimsUnderWayAsync(cancellation);
    }

    /// <summary>Resumes a queue: its jobs go on in the order in which they were queued. One that is not paused stays as it is.</summary>
    public async Task ResumeAsync(string queue, CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand(Resume).With(queue);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Waits for the claims that began before this and may not know that the queue is paused. Nobody has to wait for it in turn.</summary>
    private async Task ClaimsUnderWayAsync(CancellationToken cancellation)
    {
        await using var command = database.General.CreateCommand("select queuescale_claims_under_way()");
        for (var old = await ReadAsync(); old.Length > 0; old = [.. old.Intersect(await ReadAsync())])
        {
            await Task.Delay(LookPause, cancellation);
        }

        async Task<string[]> ReadAsync() => (string[])(await command.ExecuteScalarAsync(cancellation))!;
    }
}
