using System.Security.Cryptography;
using System.Text;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class IdempotencyTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task Fifty_repeats_at_once_in_two_processes_make_one_job()
    {
        await using Steps one = new(stage), other = new(stage);
        var key = Key();
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(n => (n % 2 == 0 ? one : other).Submissions.SubmitOnceAsync([Steps.NewJob()], key)));
        Assert.Single(outcomes, outcome => outcome.Jobs is not null);
        var job = (await JobsOfAsync(key)).Single();
        Assert.All(outcomes.Where(outcome => outcome.Jobs is null), outcome => Assert.Equal([job], outcome.Earlier!));
        Assert.Equal([job], one.TakeWoken().Concat(other.TakeWoken()).Select(woken => woken.Id));
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from jobs where id = $1", job));
    }

    [Fact]
    public async Task A_key_that_comes_with_another_submission_is_refused_and_nothing_is_stored()
    {
        await using var steps = new Steps(stage);
        var key = Key();
        await steps.Submissions.SubmitOnceAsync([Steps.NewJob()], key);
        var other = Steps.NewJob();
        await Assert.ThrowsAsync<IdempotencyKeyReused>(() => steps.Submissions.SubmitOnceAsync([other], key with { Fingerprint = Hash("something else") }));
        Assert.Null(await steps.Jobs.FindAsync(other.Id, 1, default));
    }

    [Fact]
    public async Task The_same_key_of_another_tenant_is_another_key()
    {
        await using var steps = new Steps(stage);
        var key = Key();
        var both = await Task.WhenAll(Enumerable.Range(1, 2).Select(tenant => steps.Submissions.SubmitOnceAsync([Steps.NewJob() with { Tenant = tenant }], key)));
        Assert.All(both, outcome => Assert.NotNull(outcome.Jobs));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(500)] // has a statement of its own
    public async Task A_batch_with_a_key_makes_its_jobs_once_and_answers_them_in_their_order(int count)
    {
        await using var steps = new Steps(stage);
        var key = Key();
        var jobs = Enumerable.Range(0, count).Select(_ => Steps.NewJob()).Shuffle().ToArray();
        Assert.Equal(count, (await steps.Submissions.SubmitOnceAsync(jobs, key)).Jobs!.Length);
        Assert.Equal(count, steps.TakeWoken().Count);
        var again = Enumerable.Range(0, count).Select(_ => Steps.NewJob()).ToArray();
        Assert.Equal(jobs.Select(job => job.Id), (await steps.Submissions.SubmitOnceAsync(again, key)).Earlier);
        Assert.Empty(steps.TakeWoken());
        Assert.Equal(count, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1)", jobs.Concat(again).Select(job => job.Id).ToArray()));
    }

    [Fact]
    public async Task Batches_with_the_same_keys_in_other_orders_do_not_lock_each_other_out()
    {
        await using Steps one = new(stage), other = new(stage);
        var before = await DeadlocksAsync();
        for (var round = 0; round < 20; round++)
        {
            var keys = Enumerable.Range(0, 200).Select(_ => Key()).ToArray();
            var outcomes = await Task.WhenAll(new[] { one, other }.SelectMany(steps => Random.Shared.GetItems(keys, 400).Union(keys).Select(key => steps.Submissions.SubmitOnceAsync([Steps.NewJob()], key))));
            Assert.Equal(keys.Length, outcomes.Count(outcome => outcome.Jobs is not null));
        }

        Assert.Equal(before, await DeadlocksAsync());

        Task<long> DeadlocksAsync() => stage.ScalarAsync<long>("select deadlocks from pg_stat_database where datname = current_database()");
    }

    [Fact]
    public async Task Keys_are_forgotten_by_their_age_alone()
    {
        await using var steps = new Steps(stage);
        var (old, young) = (Key(), Key());
        await steps.Submissions.SubmitOnceAsync([Steps.NewJob()], old);
        await steps.Submissions.SubmitOnceAsync([Steps.NewJob()], young);
        await stage.ExecuteAsync($"update idempotency_keys set created_at = created_at - '25 h'::interval where key = '{old.Key}'");
        Assert.Equal(1, await new ExpiredKeys(steps.Database).ForgetAsync(TimeSpan.FromHours(24), default));
        Assert.Empty(await JobsOfAsync(old));
        Assert.NotNull((await steps.Submissions.SubmitOnceAsync([Steps.NewJob()], old)).Jobs);
        Assert.Null((await steps.Submissions.SubmitOnceAsync([Steps.NewJob()], young)).Jobs);
    }

    private async Task<Guid[]> JobsOfAsync(IdempotencyKey key) => [.. await stage.QueryAsync<Guid>("select unnest(jobs) from idempotency_keys where key = $1", key.Key)];

    private static IdempotencyKey Key() => new(Guid.NewGuid().ToString(), Hash("the same"));

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
