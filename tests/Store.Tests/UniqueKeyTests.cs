using System.Security.Cryptography;
using System.Text;
using Npgsql;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class UniqueKeyTests(Stage stage) : IClassFixture<Stage>
{
    private readonly string key = Servers.NewName();

    [Fact]
    public async Task Fifty_submissions_at_once_in_two_processes_make_one_job()
    {
        await using Steps one = new(stage), other = new(stage);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(n => (n % 2 == 0 ? one : other).Uniques.SubmitAsync([Job(key)], key: null)));
        var job = Assert.Single(await JobsAsync(key));
        Assert.Equal([job], outcomes.SelectMany(outcome => outcome.New.Keys));
        Assert.All(outcomes, outcome => Assert.Equal([job], outcome.Ids));
        Assert.Equal([job], one.TakeWoken().Concat(other.TakeWoken()).Select(woken => woken.Id));
    }

    [Theory]
    [InlineData(JobState.Succeeded)]
    [InlineData(JobState.Failed)]
    [InlineData(JobState.Cancelled)]
    public async Task A_key_is_free_again_when_its_job_is_final_and_not_before(JobState end)
    {
        await using var steps = new Steps(stage);
        using var worker = steps.RegisterWorker();
        var first = await SubmitAsync(steps);
        Assert.Equal(first, await SubmitAsync(steps));
        Assert.NotEqual(first, (await steps.Uniques.SubmitAsync([Job(key) with { Tenant = 2 }], key: null)).Ids[0]); // another tenant's key is another key
        Assert.Single(await steps.ClaimAsync(worker.Worker, [first]));
        Assert.Equal(first, await SubmitAsync(steps));
        await steps.Failures.FailAsync(first, 1, Verdict.Retry, RunEnding.Failed, """{"code":"x","message":"y"}""", TimeSpan.FromHours(1));
        Assert.Equal(first, await SubmitAsync(steps));
        switch (end)
        {
            case JobState.Cancelled:
                await steps.Cancellations.CancelAsync(first, 1, default);
                break;
            default:
                await stage.ExecuteAsync($"update jobs set run_at = clock_timestamp() where id = '{first}'");
                await steps.Due.QueueAsync(default);
                Assert.Single(await steps.ClaimAsync(worker.Worker, [first], dispatch: 1));
                await (end == JobState.Succeeded ? steps.Completions.CompleteAsync(first, 2, "1", null) : steps.Failures.FailAsync(first, 2, Verdict.GiveUp, RunEnding.Failed, null, default));
                break;
        }

        Assert.Equal(end, await steps.StateAsync(first));
        Assert.NotEqual(first, await SubmitAsync(steps));
    }

    [Fact]
    public async Task A_submission_waits_for_another_one_with_its_key_that_is_not_committed_and_takes_its_place_if_that_fails()
    {
        await using var steps = new Steps(stage);
        await using var connection = await stage.Sql.OpenConnectionAsync();
        foreach (var commits in new[] { false, true })
        {
            var other = Guid.CreateVersion7();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var insert = new NpgsqlCommand($"insert into jobs (id, tenant, type, queue, state, max_attempts, input, unique_key) values ('{other}', 1, 'test', 'default', 1, 3, '{"{}"}', '{key}')", connection);
            await insert.ExecuteNonQueryAsync();
            var submission = SubmitAsync(steps);
            await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1);
            await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());
            Assert.Equal(commits, await submission == other);
            await steps.Cancellations.CancelAsync(await submission, 1, default);
        }
    }

    [Fact]
    public async Task A_key_that_its_job_frees_again_and_again_is_always_answered_with_a_job()
    {
        await using Steps one = new(stage), other = new(stage);
        var ended = 0;
        await Task.WhenAll(new[] { one, other, one, other }.Select(async steps =>
        {
            for (var round = 0; round < 60; round++)
            {
                var job = await SubmitAsync(steps);
                if (await steps.Cancellations.CancelAsync(job, 1, default) == CancelOutcome.Cancelled)
                {
                    Interlocked.Increment(ref ended);
                }
            }
        }));
        Assert.Equal(ended, (await JobsAsync(key)).Count); // each was cancelled once, by whoever came first
    }

    [Fact]
    public async Task In_a_batch_a_job_whose_key_is_taken_gives_its_place_to_the_one_that_has_it()
    {
        await using var steps = new Steps(stage);
        var taken = await SubmitAsync(steps);
        steps.TakeWoken();
        NewJob[] batch = [Steps.NewJob(), Job(key), Job(key + "b"), Job(key + "b"), Steps.NewJob()];
        var submitted = await steps.Uniques.SubmitAsync(batch, key: null);
        Assert.Equal([batch[0].Id, taken, submitted.Ids[2], submitted.Ids[2], batch[4].Id], submitted.Ids);
        Assert.Contains(submitted.Ids[2], new[] { batch[2].Id, batch[3].Id });
        Assert.Equal(submitted.Ids.Distinct().Except([taken]).Order(), submitted.New.Keys.Order());
        Assert.Equal(submitted.New.Keys.Order(), steps.TakeWoken().Select(woken => woken.Id).Order());
        Assert.Equal(3, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1)", batch.Select(job => job.Id).ToArray()));
    }

    [Fact]
    public async Task Batches_with_the_same_keys_in_other_orders_do_not_lock_each_other_out()
    {
        var before = await stage.DeadlocksAsync();
        await using (var one = new Steps(stage))
        await using (var other = new Steps(stage))
        await using (var connection = await stage.Sql.OpenConnectionAsync())
        {
            for (var round = 0; round < 3; round++)
            {
                // One key is held until all have met it, each with other keys in hand.
                var keys = Enumerable.Range(0, 20).Select(n => $"{key}-{round}-{n:00}").ToArray();
                await using var transaction = await connection.BeginTransactionAsync();
                await using var insert = new NpgsqlCommand($"insert into jobs (id, tenant, type, queue, state, max_attempts, input, unique_key) values (gen_random_uuid(), 1, 'test', 'default', 1, 3, '{"{}"}', '{keys[10]}')", connection);
                await insert.ExecuteNonQueryAsync();
                var submissions = new[] { one, other, one, other }.Select(steps => steps.Uniques.SubmitAsync([.. keys.Shuffle().Select(Job)], key: null)).ToArray();
                await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 4);
                await transaction.RollbackAsync();
                var batches = await Task.WhenAll(submissions);
                Assert.Equal(keys.Length, batches.Sum(batch => batch.New.Count));
                Assert.Single(batches.Select(batch => string.Join(' ', batch.Ids.Order())).Distinct());
            }
        }

        Assert.Equal(before, await stage.DeadlocksAsync());
    }

    [Fact]
    public async Task With_an_idempotency_key_the_first_answer_stays_also_when_the_unique_key_is_free_again()
    {
        await using var steps = new Steps(stage);
        var once = new IdempotencyKey(key, SHA256.HashData(Encoding.UTF8.GetBytes(key)));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => steps.Uniques.SubmitAsync([Job(key)], once)));
        var job = Assert.Single(await JobsAsync(key));
        Assert.Single(outcomes, outcome => !outcome.IsReplay);
        Assert.All(outcomes, outcome => Assert.Equal([job], outcome.Ids));
        await steps.Cancellations.CancelAsync(job, 1, default);
        var again = await steps.Uniques.SubmitAsync([Job(key)], once);
        Assert.Equal((true, job), (again.IsReplay, again.Ids[0]));
        Assert.Single(await JobsAsync(key));
        await Assert.ThrowsAsync<IdempotencyKeyReused>(() => steps.Uniques.SubmitAsync([Job(key)], once with { Fingerprint = [1] }));
        Assert.Single(await JobsAsync(key)); // nothing was stored
    }

    [Fact]
    public async Task The_same_submission_once_more_after_its_answer_was_lost_finds_its_own_jobs()
    {
        await using var steps = new Steps(stage);
        var once = new IdempotencyKey(key, [1]);
        foreach (var idempotency in new[] { null, once })
        {
            NewJob[] batch = [Job(key + idempotency?.Key), Steps.NewJob()];
            await steps.Uniques.SubmitAsync(batch, idempotency);
            steps.TakeWoken();
            var again = await steps.Uniques.SubmitAsync(batch, idempotency);
            Assert.False(again.IsReplay);
            Assert.Equal(batch.Select(job => job.Id), again.Ids);
            Assert.Equal(batch.Select(job => job.Id).Order(), again.New.Keys.Order());
            Assert.Equal(2, steps.TakeWoken().Count); // its wake-ups may not have been sent
        }
    }

    [Fact]
    public async Task A_job_whose_key_was_taken_since_is_not_run_again_and_of_several_with_one_key_the_first_is()
    {
        await using var steps = new Steps(stage);
        var retries = new Retries(steps.Database);
        var failed = new List<Guid>();
        for (var i = 0; i < 2; i++)
        {
            failed.Add(await SubmitAsync(steps));
            await stage.ExecuteAsync($"update jobs set state = 6 where id = '{failed[i]}'; select queuescale_recount()");
        }

        var holder = await SubmitAsync(steps);
        Assert.Empty(await retries.RetryAsync([.. failed], 1, fromStart: false, default));
        Assert.Equal(holder, await retries.KeyHolderAsync(failed[0], 1, default));
        await steps.Cancellations.CancelAsync(holder, 1, default);
        Assert.Null(await retries.KeyHolderAsync(failed[0], 1, default));
        Assert.Equal(failed[0], Assert.Single(await retries.RetryAsync([.. failed, holder], 1, fromStart: false, default)).Id);
        Assert.Equal(failed[0], await SubmitAsync(steps));
    }

    [Fact]
    public async Task A_retry_that_meets_a_submission_with_its_key_changes_nothing()
    {
        await using var steps = new Steps(stage);
        var failed = await SubmitAsync(steps);
        await stage.ExecuteAsync($"update jobs set state = 6 where id = '{failed}'; select queuescale_recount()");
        await using var connection = await stage.Sql.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var insert = new NpgsqlCommand($"insert into jobs (id, tenant, type, queue, state, max_attempts, input, unique_key) values (gen_random_uuid(), 1, 'test', 'default', 1, 3, '{"{}"}', '{key}')", connection);
        await insert.ExecuteNonQueryAsync();
        var retry = new Retries(steps.Database).RetryAsync([failed], 1, fromStart: false, default);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1);
        await transaction.CommitAsync();
        Assert.Empty(await retry);
        Assert.Equal(JobState.Failed, await steps.StateAsync(failed));
    }

    private static NewJob Job(string key) => Steps.NewJob() with { UniqueKey = key };

    private async Task<Guid> SubmitAsync(Steps steps) => (await steps.Uniques.SubmitAsync([Job(key)], key: null)).Ids[0];

    private Task<IReadOnlyList<Guid>> JobsAsync(string unique) => stage.QueryAsync<Guid>("select id from jobs where unique_key = $1", unique);
}
