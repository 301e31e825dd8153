using Npgsql;
using NpgsqlTypes;
using QueueScale.Contracts;

namespace QueueScale.Store;

/// <summary>Step 4, the good end: a run's result is recorded, if the run is still the job's own.</summary>
public class Completions : IAsyncDisposable
{
    private static readonly string Statement = $"""
        with u as (
          update jobs j set state = case when j.cancel_requested then 7 else 5 end, result = case when j.cancel_requested then null else d.result end,
            error = null, progress = coalesce(d.progress, j.progress), finished_at = clock_timestamp()
          from unnest($1, $2, $3, $4) as d(id, epoch, result, progress)
          where j.id = d.id and j.epoch = d.epoch and j.state + 0 = 2
          returning j.id, j.queue, j.lane, j.state),
        c as ({Counts.Bump("u", ended: "count(*)")})
        select id, state from u
        """;

    private readonly Database database;
    private readonly GroupCommit<Completion, JobState?> batches;

    public Completions(Database database)
    {
        this.database = database;
        batches = new("complete", SaveAsync, new GroupCommitLimits());
    }

    /// <summary>Records that the run succeeded.</summary>
    /// <param name="job">The job.</param>
    /// <param name="epoch">The run.</param>
    /// <param name="result">The result as JSON.</param>
    /// <param name="progress">The run's newest progress as JSON; null leaves what is there.</param>
    /// <returns>The job's final state: succeeded, or cancelled where a cancel was accepted before. Null: the run was lost, and nothing was changed.</returns>
    /// <exception cref="DataRefused">PostgreSQL refuses the result.</exception>
    public virtual Task<JobState?> CompleteAsync(Guid job, int epoch, string result, string? progress) =>
        batches.SaveAsync(new Completion(job, epoch, result, progress));

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return batches.DisposeAsync();
    }

    private async Task<JobState?[]> SaveAsync(IReadOnlyList<Completion> completions, CancellationToken cancellation)
    {
        await using var connection = await database.Steps.OpenConnectionAsync(cancellation);
        await using var command = new NpgsqlCommand(Statement, connection)
            .WithColumn(completions.Select(c => c.Id).ToArray(), NpgsqlDbType.Uuid)
            .WithColumn(completions.Select(c => c.Epoch).ToArray(), NpgsqlDbType.Integer)
            .WithColumn(completions.Select(c => c.Result).ToArray(), NpgsqlDbType.Jsonb)
            .WithColumn(completions.Select(c => c.Progress).ToArray(), NpgsqlDbType.Jsonb);
        return await Fence.AnswersAsync(command, completions, c => c.Epoch, [JobState.Succeeded, JobState.Cancelled], cancellation);
    }

    private sealed record Completion(Guid Id, int Epoch, string Result, string? Progress) : IBatchItem
    {
        public int Bytes => 64 + Result.Length;
    }
}
