using Npgsql;
using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

public sealed class TransactionalHarnessTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>
{
    [Fact]
    public async Task Effects_in_a_transactional_checkpoint_happen_once_wherever_the_job_is_interrupted()
    {
        var harness = JobHarness.For(() => new Ledger(postgres.Database, inTransaction: true), postgres.Database, ResetAsync);
        var job = await harness.InterruptEverywhere(new LedgerInput(3), RowsAsync);

        Assert.Equal(3, job.Result);
        Assert.All(job.Checkpoints, at => Assert.True(at.Transactional));
        Assert.Equal(3L, await postgres.ScalarAsync<long>("select count(*) from ledger"));
    }

    [Fact]
    public async Task The_same_effects_beside_the_checkpoint_are_found_to_happen_twice()
    {
        var harness = JobHarness.For(() => new Ledger(postgres.Database, inTransaction: false), postgres.Database, ResetAsync);
        var failure = await Assert.ThrowsAsync<JobHarnessException>(() => harness.InterruptEverywhere(new LedgerInput(3), RowsAsync));

        Assert.StartsWith("Killed just before checkpoint 1 was saved", failure.Message, StringComparison.Ordinal);
        Assert.Contains("interrupted: [1,1,2,3]", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rounds_on_a_database_need_a_reset()
    {
        var failure = await Assert.ThrowsAsync<JobHarnessException>(() =>
            JobHarness.For(() => new Ledger(postgres.Database, inTransaction: true), postgres.Database).InterruptEverywhere(new LedgerInput(1)));
        Assert.Contains("reset", failure.Message, StringComparison.Ordinal);
    }

    private Task ResetAsync() => postgres.ExecuteAsync("drop table if exists ledger; create table ledger (step int)");

    private async Task<object?> RowsAsync() => await postgres.ScalarAsync<int[]>("select array_agg(step order by step) from ledger");

    private sealed record LedgerInput(int Steps);

    private sealed class Ledger(NpgsqlDataSource database, bool inTransaction) : IJob<LedgerInput, int>
    {
        public async Task<int> RunAsync(LedgerInput input, JobRun run, CancellationToken stop)
        {
            var step = run.Checkpoint<int>();
            while (step < input.Steps)
            {
                step++;
                if (inTransaction)
                {
                    await run.CheckpointAsync(step, async transaction =>
                    {
                        await using var insert = new NpgsqlCommand($"insert into ledger values ({step})", (NpgsqlConnection)transaction.Connection!);
                        await insert.ExecuteNonQueryAsync(stop);
                    });
                }
                else
                {
                    await using var insert = database.CreateCommand($"insert into ledger values ({step})");
                    await insert.ExecuteNonQueryAsync(stop);
                    await run.CheckpointAsync(step);
                }
            }

            return step;
        }
    }
}
