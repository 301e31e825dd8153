using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A run that its worker cannot finish.</summary>
/// <param name="Id">The job.</param>
/// <param name="Epoch">The run.</param>
/// <param name="How">Interrupted, or lost where this worker did not know of the run.</param>
/// <param name="Counts">Whether it counts as an interruption; a claimed job that never started does not.</param>
/// <param name="Since">How long ago the reason for a hand-over came, such as SIGTERM for a drain; null where it only waits for a slot or for PostgreSQL.</param>
/// <param name="Span">The trace context of the run's span, for the next run to link to.</param>
public sealed record Unfinished(Guid Id, int Epoch, RunEnding How, bool Counts, TimeSpan? Since, string? Span = null) : IBatchItem;

/// <summary>Step 4, the hand-over: running jobs go back to the head of their queue, with their checkpoints. A cancelled one ends here.</summary>
public sealed class PutBacks : IAsyncDisposable
{
    private static readonly string Statement = $"""
        with u as (
          update jobs j set
            state = case when j.cancel_requested then 7 else 1 end, lane = 1, at = clock_timestamp(), dispatch = j.dispatch + 1,
            interruptions = j.interruptions + (d.counts and not j.cancel_requested)::int, suspect = case when d.counts then 0 else j.suspect end,
            finished_at = case when j.cancel_requested then clock_timestamp() end
          from unnest($1, $2, $3, $4, $5, $6) as d(id, epoch, how, counts, since, span)
          where j.id = d.id and j.epoch = d.epoch and j.state + 0 = 2
          returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at, j.state, j.epoch, j.worker, j.started_at, j.from_seq, d.how, d.since, d.span),
        c as ({Counts.Bump("u", ended: "count(*)", entered: "count(*) filter (where state = 1)")}),
        r as (
          insert into runs (job, epoch, worker, started_at, ended_at, how, from_seq, handover_from, span)
          select id, epoch, worker, started_at, clock_timestamp(), how, from_seq, clock_timestamp() - since, span from u where state = 1 order by id)
        select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', u.state
        from u left join lanes l using (queue, lane)
        """;

    private static readonly string GiveBackStatement = $"""
        with u as (
          update jobs j set lane = 1, at = clock_timestamp(), dispatch = j.dispatch + 1
          from unnest($1, $2) as m(id, dispatch)
          where j.id = m.id and j.dispatch = m.dispatch and j.state + 0 = 1
          returning j.id, j.dispatch, j.type, j.queue, j.lane, j.at),
        m as (select queue, $3 as lane, 0 as entered, 1 as gone from u union all select queue, lane, 1, 0 from u),
        c as ({Counts.Bump("m", entered: "sum(entered)", left: "sum(gone)")})
        select u.id, u.dispatch, u.type, u.queue, u.lane, coalesce(l.turn, 0), u.at, coalesce(l.fed, 'infinity') = 'infinity', 1::smallint
        from u left join lanes l using (queue, lane)
        """;

    /// <summary>Reads what an earlier, unanswered try of the same statement has moved: its wake-ups were not sent.</summary>
    private const string ReadBack = """
        select j.id, j.dispatch, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state
        from unnest($1, $2) as d(id, epoch) join jobs j on j.id = d.id left join lanes l using (queue, lane)
        where j.epoch = d.epoch and j.state + 0 in (1, 7)
        """;

    private const string GiveBackReadBack = """
        select j.id, j.dispatch, j.type, j.queue, j.lane, coalesce(l.turn, 0), j.at, coalesce(l.fed, 'infinity') = 'infinity', j.state
        from unnest($1, $2) as m(id, dispatch) join jobs j on j.id = m.id left join lanes l using (queue, lane)
        where j.dispatch = m.dispatch + 1 and j.state + 0 = 1
        """;

    private readonly Database database;
    private readonly Action<IReadOnlyList<QueuedJob>> wake;
    private readonly GroupCommit<Unfinished, JobState?> batches;

    /// <param name="database">PostgreSQL.</param>
    /// <param name="wake">Told of the queued jobs of each commit, right after it; must not block.</param>
    public PutBacks(Database database, Action<IReadOnlyList<QueuedJob>> wake)
    {
        this.database = database;
        this.wake = wake;
        batches = new("put_back", SaveAsync, new GroupCommitLimits());
    }

    /// <summary>Puts a run back.</summary>
    /// <returns>Queued; cancelled, where a cancel was accepted before; null: the run was lost before, and nothing was changed.</returns>
    public Task<JobState?> PutBackAsync(Unfinished run) => batches.SaveAsync(run);

    public ValueTask DisposeAsync() => batches.DisposeAsync();

    /// <summary>Gives queued jobs of a wake-up that this worker cannot take to the head of the queue, for others.</summary>
    /// <param name="jobs">The jobs.</param>
    /// <param name="lane">The lane that the wake-up came from.</param>
    public async Task GiveBackAsync(IEnumerable<ReadyJob> jobs, short lane, CancellationToken cancellation)
    {
        var batch = jobs.OrderBy(j => j.Id).ToArray();
        try
        {
            await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
            await using var command = new NpgsqlCommand(GiveBackStatement, connection).WithJobs(batch).With(lane);
            await command.PrepareAsync(cancellation);
            wake(await command.QueuedJobsAsync(cancellation));
        }
        catch (Exception error) when (BatchErrors.IsPassing(error))
        {
            await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
            await using var command = new NpgsqlCommand(GiveBackReadBack, connection).WithJobs(batch);
            await command.PrepareAsync(cancellation);
            wake(await command.QueuedJobsAsync(cancellation));
            throw; // where nothing was moved, the wake-up still stands; else it is void
        }
    }

    private async Task<JobState?[]> SaveAsync(IReadOnlyList<Unfinished> runs, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Statement, connection)
            .WithColumn(runs.Select(r => r.Id).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(runs.Select(r => r.Epoch).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(runs.Select(r => r.How.Text()).ToArray(), NpgsqlDbType.Text)
            .WithColumn(runs.Select(r => r.Counts).ToArray(), NpgsqlDbType.Boolean)
            .WithColumn(runs.Select(r => r.Since).ToArray(), NpgsqlDbType.Interval)
            .WithColumn(runs.Select(r => r.Span).ToArray(), NpgsqlDbType.Text);
        var moved = new Dictionary<Guid, JobState>(runs.Count);
        var queued = new List<QueuedJob>(runs.Count);
        await ReadAsync(command);
        if (moved.Count < runs.Count)
        {
            var missing = runs.Where(r => !moved.ContainsKey(r.Id)).ToArray();
            await using var readBack = new NpgsqlCommand(ReadBack, connection)
                .WithColumn(Array.ConvertAll(missing, r => r.Id), NpgsqlDbType.Uuid)
                .WithColumn(Array.ConvertAll(missing, r => r.Epoch), NpgsqlDbType.Integer);
            await ReadAsync(readBack);
        }

        if (queued.Count > 0)
        {
            wake(queued);
        }

        return [.. runs.Select(r => moved.TryGetValue(r.Id, out var state) ? state : (JobState?)null)];

        async Task ReadAsync(NpgsqlCommand reading)
        {
            await using var reader = await reading.ReadPreparedAsync(cancellation);
            while (await reader.ReadAsync(cancellation))
            {
                var state = (JobState)reader.GetInt16(8);
                moved[reader.GetGuid(0)] = state;
                if (state == JobState.Queued)
                {
                    queued.Add(reader.QueuedJob());
                }
            }
        }
    }
}
