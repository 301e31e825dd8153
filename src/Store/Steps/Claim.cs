using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>A job that this worker has claimed: what a run needs.</summary>
public sealed record ClaimedJob
{
    public required Guid Id { get; init; }

    /// <summary>The number of this run, which fences all its writes.</summary>
    public required int Epoch { get; init; }

    public required string Type { get; init; }

    public required string Queue { get; init; }

    public required ReadOnlyMemory<byte> Input { get; init; }

    public ReadOnlyMemory<byte>? Checkpoint { get; init; }

    public required int CheckpointSeq { get; init; }

    /// <summary>Attempts that have failed so far.</summary>
    public required int Attempts { get; init; }

    public TimeSpan? Timeout { get; init; }

    /// <summary>Crashes in a row without progress. From <see cref="Claims.Isolated"/> on it starts alone.</summary>
    public required int Suspect { get; init; }

    /// <summary>On the first run: seconds from the job's submission, or the time that it was to wait for, to this claim.</summary>
    public double? WaitSeconds { get; init; }

    /// <summary>The trace context of its submission; null where nobody traced it.</summary>
    public string? Trace { get; init; }

    /// <summary>Whether it was cancelled since: only where the claim's answer was lost and its jobs were read later.</summary>
    public required bool CancelRequested { get; init; }

    /// <summary>The run before this one; null on the first.</summary>
    public EarlierRun? Earlier { get; init; }
}

/// <summary>The run before a claimed one.</summary>
/// <param name="How">How it ended.</param>
/// <param name="HandOverSeconds">From the reason of the hand-over (SIGTERM, the dead worker's last pulse), or from when its queue was resumed after that, to the claim; null where it was none.</param>
/// <param name="Span">The trace context of its span; null where its worker did not trace, or died before it could say.</param>
public sealed record EarlierRun(RunEnding How, double? HandOverSeconds, string? Span);

/// <summary>Step 2: a worker takes queued jobs whose wake-up is current. Everything else that a wake-up may name is void.</summary>
public sealed class Claims(Database database)
{
    /// <summary>A job with this many crashes in a row is started one at a time.</summary>
    public const short Isolated = 2;

    /// <summary>An answer that took longer is old: its jobs may have been cancelled or taken away since.</summary>
    private static readonly TimeSpan AnswerGoodFor = TimeSpan.FromSeconds(1);

    private const string Columns = "j.id, j.epoch, j.type, j.queue, j.input, j.checkpoint, j.checkpoint_seq, j.attempts, j.timeout, j.suspect, j.started_at, j.created_at, j.run_at, j.trace, j.cancel_requested";

    /// <summary>For metrics and traces. A first run, and most are, looks at nothing but its own row. One that was only put back, for want of a slot, was none.</summary>
    private const string Before = """
        case when j.epoch = 1 or not exists (select from runs r where r.job = j.id and (r.how <> 'interrupted' or r.handover_from is not null))
          then extract(epoch from j.started_at - greatest(j.created_at, j.run_at))::float8 end,
        case when j.epoch > 1 then (select r.how from runs r where r.job = j.id and r.epoch = j.epoch - 1) end,
        case when j.epoch > 1 then (select extract(epoch from j.started_at - greatest(r.handover_from, case when r.handover_from is not null then (select q.resumed_at from queues q where q.name = j.queue) end))::float8 from runs r where r.job = j.id and r.epoch = j.epoch - 1) end,
        case when j.epoch > 1 then (select r.span from runs r where r.job = j.id and r.epoch = j.epoch - 1) end
        """;

    private static readonly KeyValuePair<string, object?> Label = BatchMetrics.Label("claim");

    private static readonly string Statement = $"""
        with u as (
          update jobs j set state = 2, epoch = epoch + 1, worker = $1, started_at = clock_timestamp(), from_seq = j.checkpoint_seq
          from unnest($2, $3) as m(id, dispatch)
          where j.id = m.id and j.dispatch = m.dispatch and j.state + 0 = 1 and (j.suspect < {Isolated} or $4) and j.queue <> all ((select queuescale_paused_queues())::text[])
          returning {Columns}, j.lane),
        c as ({Counts.Bump("u", left: "count(*)", started: "count(*)")})
        select {Columns}, {Before} from u as j
        """;

    private const string ReadBack = $"select {Columns}, {Before} from unnest($2) as m(id) join jobs j on j.id = m.id where j.worker = $1 and j.state + 0 = 2";

    private const string FindSuspects = "select j.id from unnest($1, $2) as m(id, dispatch) join jobs j on j.id = m.id where j.dispatch = m.dispatch and j.state + 0 = 1 and j.suspect >= 2 and not exists (select from queues q where q.name = j.queue and q.paused)";

    private static readonly string Defer = $"""
        with u as (
          update jobs j set state = 3, run_at = clock_timestamp() + $3 where j.id = $1 and j.dispatch = $2 and j.state + 0 = 1
          returning j.queue, j.lane),
        c as ({Counts.Bump("u", left: "count(*)", waiting: "count(*)")})
        select count(*) from u
        """;

    /// <summary>Claims those of <paramref name="jobs"/> that are still queued under the same dispatch in a queue that is not paused, and are no suspects.</summary>
    /// <param name="worker">The claiming worker.</param>
    /// <param name="jobs">Different jobs, in id order.</param>
    /// <param name="suspects">Whether suspects are claimed too; then it is one job.</param>
    /// <returns>What was claimed; what is missing was void, of a paused queue or a suspect.</returns>
    public async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(Guid worker, IReadOnlyList<ReadyJob> jobs, bool suspects, CancellationToken cancellation)
    {
        BatchMetrics.Size.Record(jobs.Count, Label);
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Statement, connection)
            .With(worker)
            .WithJobs(jobs)
            .With(suspects);
        var began = TimeProvider.System.GetTimestamp();
        var claimed = await ReadAsync(command, cancellation);
        return claimed.Count > 0 && TimeProvider.System.GetElapsedTime(began) > AnswerGoodFor ? await ReadBackAsync(worker, jobs, connection, cancellation) : claimed;
    }

    /// <summary>After a claim whose answer was lost: which of <paramref name="jobs"/> run under this worker now.</summary>
    public async Task<IReadOnlyList<ClaimedJob>> ReadBackAsync(Guid worker, IReadOnlyList<ReadyJob> jobs, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        return await ReadBackAsync(worker, jobs, connection, cancellation);
    }

    private static async Task<IReadOnlyList<ClaimedJob>> ReadBackAsync(Guid worker, IReadOnlyList<ReadyJob> jobs, NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(ReadBack, connection).With(worker).WithColumn(jobs.Select(j => j.Id).ToArray(), NpgsqlDbType.Uuid);
        return await ReadAsync(command, cancellation);
    }

    /// <summary>Which of the jobs that a claim left out are suspects.</summary>
    public async Task<IReadOnlyList<ReadyJob>> SuspectsAmongAsync(IReadOnlyList<ReadyJob> jobs, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(FindSuspects, connection).WithJobs(jobs);
        await using var reader = await command.ReadPreparedAsync(cancellation);
        var found = new HashSet<Guid>();
        while (await reader.ReadAsync(cancellation))
        {
            found.Add(reader.GetGuid(0));
        }

        return [.. jobs.Where(j => found.Contains(j.Id))];
    }

    /// <summary>Puts a suspect aside for a time, because another one is being started here.</summary>
    public async Task DeferAsync(ReadyJob job, TimeSpan delay, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Defer, connection).With(job.Id).With(job.Dispatch).With(delay);
        await command.PrepareAsync(cancellation);
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async Task<IReadOnlyList<ClaimedJob>> ReadAsync(NpgsqlCommand command, CancellationToken cancellation)
    {
        var claimed = new List<ClaimedJob>();
        await using var reader = await command.ReadPreparedAsync(cancellation);
        while (await reader.ReadAsync(cancellation))
        {
            claimed.Add(new ClaimedJob
            {
                Id = reader.GetGuid(0),
                Epoch = reader.GetInt32(1),
                Type = reader.GetString(2),
                Queue = reader.GetString(3),
                Input = reader.GetFieldValue<byte[]>(4),
                Checkpoint = reader.IsDBNull(5) ? (ReadOnlyMemory<byte>?)null : reader.GetFieldValue<byte[]>(5),
                CheckpointSeq = reader.GetInt32(6),
                Attempts = reader.GetInt16(7),
                Timeout = reader.SpanOrNull(8),
                Suspect = reader.GetInt16(9),
                Trace = reader.TextOrNull(13),
                CancelRequested = reader.GetBoolean(14),
                WaitSeconds = reader.IsDBNull(15) ? null : reader.GetDouble(15),
                Earlier = reader.IsDBNull(16)
                    ? null
                    : new EarlierRun(Enum.Parse<RunEnding>(reader.GetString(16), ignoreCase: true), reader.IsDBNull(17) ? null : reader.GetDouble(17), reader.TextOrNull(18)),
            });
        }

        return claimed;
    }
}
