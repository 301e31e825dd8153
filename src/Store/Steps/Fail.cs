using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>What is to become of a job whose run did not succeed.</summary>
public enum Verdict : short
{
    /// <summary>No further attempt can help.</summary>
    GiveUp = 0,

    /// <summary>Another attempt, unless this was the last.</summary>
    Retry = 1,

    /// <summary>Run again later; the attempt does not count.</summary>
    Snooze = 2,
}

/// <summary>Step 4, the other ends: a failed run uses up an attempt and is retried, snoozed or given up.</summary>
public sealed class Failures : IAsyncDisposable
{
    private const string GivesUp = "(d.verdict = 0 or d.verdict = 1 and j.attempts + 1 >= j.max_attempts)";

    private static readonly string Statement = $"""
        with u as (
          update jobs j set
            state = case when j.cancel_requested then 7 when {GivesUp} then 6 else 3 end,
            attempts = j.attempts + (d.verdict < 2)::int,
            suspect = 0,
            error = coalesce(d.error, j.error),
            run_at = case when j.cancel_requested or {GivesUp} then j.run_at else clock_timestamp() + d.delay end,
            finished_at = case when j.cancel_requested or {GivesUp} then clock_timestamp() end
          from unnest($1, $2, $3, $4, $5, $6, $7) as d(id, epoch, verdict, error, delay, how, span)
          where j.id = d.id and j.epoch = d.epoch and j.state + 0 = 2
          returning j.id, j.epoch, j.queue, j.lane, j.state, j.worker, j.started_at, j.from_seq, d.how, d.error, d.span),
        c as ({Counts.Bump("u", ended: "count(*)", waiting: "count(*) filter (where state = 3)")}),
        r as (
          insert into runs (job, epoch, worker, started_at, ended_at, how, error, from_seq, span)
          select id, epoch, worker, started_at, clock_timestamp(), how, error, from_seq, span from u where state = 3 order by id)
        select id, state from u
        """;

    private readonly Database database;
    private readonly GroupCommit<Failure, JobState?> batches;

    public Failures(Database database)
    {
        this.database = database;
        batches = new("fail", SaveAsync, new GroupCommitLimits());
    }

    /// <summary>Records how the run ended.</summary>
    /// <param name="job">The job.</param>
    /// <param name="epoch">The run.</param>
    /// <param name="verdict">What is to become of the job.</param>
    /// <param name="how">How the run ended, for the list of runs.</param>
    /// <param name="error">A <see cref="JobError"/> as JSON; null for a snooze.</param>
    /// <param name="delay">The next attempt starts no earlier than this.</param>
    /// <param name="span">The trace context of the run's span, for the next run to link to.</param>
    /// <returns>The state that the job is in now; null: the run was lost, and nothing was changed.</returns>
    public Task<JobState?> FailAsync(Guid job, int epoch, Verdict verdict, RunEnding how, string? error, TimeSpan delay, string? span = null) =>
        batches.SaveAsync(new Failure(job, epoch, verdict, how.Text(), error, delay, span));

    public ValueTask DisposeAsync() => batches.DisposeAsync();

    private async Task<JobState?[]> SaveAsync(IReadOnlyList<Failure> failures, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Statement, connection)
            .WithColumn(failures.Select(f => f.Id).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(failures.Select(f => f.Epoch).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(failures.Select(f => (short)f.Verdict).ToArray(), NpgsqlDbType.Smallint)
            .WithColumn(failures.Select(f => f.Error).ToArray(), NpgsqlDbType.Jsonb)
            .WithColumn(failures.Select(f => f.Delay).ToArray(), NpgsqlDbType.Interval)
            .WithColumn(failures.Select(f => f.How).ToArray(), NpgsqlDbType.Text)
            .WithColumn(failures.Select(f => f.Span).ToArray(), NpgsqlDbType.Text);
        return await Fence.AnswersAsync(command, failures, f => f.Epoch, [JobState.Retrying, JobState.Failed, JobState.Cancelled], cancellation);
    }

    private sealed record Failure(Guid Id, int Epoch, Verdict Verdict, string How, string? Error, TimeSpan Delay, string? Span) : IBatchItem
    {
        public int Bytes => 128 + (Error?.Length ?? 0);
    }
}
