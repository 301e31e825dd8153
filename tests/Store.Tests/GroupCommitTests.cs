using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class GroupCommitTests(Stage stage) : IClassFixture<Stage>
{
    private sealed record Item(int Number) : IBatchItem
    {
        public Guid Id { get; } = Guid.CreateVersion7();
    }

    [Fact]
    public async Task What_gathers_while_a_batch_is_under_way_goes_as_the_next_one()
    {
        var gate = new TaskCompletionSource();
        var batches = new List<int>();
        await using var commit = new GroupCommit<Item, int>("test", async (items, _) =>
        {
            batches.Add(items.Count);
            await gate.Task;
            return [.. items.Select(i => i.Number)];
        }, new GroupCommitLimits());
        var first = commit.SaveAsync(new Item(0));
        await Waiting.UntilAsync(() => Task.FromResult(batches.Count == 1));
        var others = Enumerable.Range(1, 40).Select(n => commit.SaveAsync(new Item(n))).ToArray();
        gate.SetResult();
        Assert.Equal(0, await first);
        Assert.Equal(Enumerable.Range(1, 40), await Task.WhenAll(others));
        Assert.Equal([1, 40], batches);
    }

    [Fact]
    public async Task More_than_may_wait_is_refused_at_once()
    {
        var (begun, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var commit = new GroupCommit<Item, int>("test", async (items, _) =>
        {
            begun.TrySetResult();
            await gate.Task;
            return new int[items.Count];
        }, new GroupCommitLimits(MaxWaiting: 2));
        var taken = commit.SaveAsync(new Item(0));
        await begun.Task;
        var waiting = new[] { commit.SaveAsync(new Item(1)), commit.SaveAsync(new Item(2)) };
        await Assert.ThrowsAsync<StoreOverloaded>(() => commit.SaveAsync(new Item(3)));
        gate.SetResult();
        await Task.WhenAll([taken, .. waiting]);
    }

    [Fact]
    public async Task An_item_whose_caller_is_gone_before_its_batch_begins_is_never_written()
    {
        var (begun, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        var written = new List<int>();
        await using var commit = new GroupCommit<Item, int>("test", async (items, _) =>
        {
            begun.TrySetResult();
            await gate.Task;
            written.AddRange(items.Select(i => i.Number));
            return new int[items.Count];
        }, new GroupCommitLimits());
        var first = commit.SaveAsync(new Item(0));
        await begun.Task;
        using var gone = new CancellationTokenSource();
        var second = commit.SaveAsync(new Item(1), gone.Token);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        gate.SetResult();
        await first;
        await commit.SaveAsync(new Item(2));
        Assert.Equal([0, 2], written);
    }

    [Fact]
    public async Task A_write_that_PostgreSQL_could_not_confirm_is_repeated_until_it_is()
    {
        var tries = 0;
        await using var commit = new GroupCommit<Item, int>("test", (items, _) => ++tries < 4 ? throw new TimeoutException() : Task.FromResult(new int[items.Count]), new GroupCommitLimits());
        await commit.SaveAsync(new Item(0));
        Assert.Equal(4, tries);
    }

    [Fact]
    public async Task After_its_time_a_caller_hears_that_the_outcome_is_unknown()
    {
        await using var commit = new GroupCommit<Item, int>("test", (_, _) => throw new TimeoutException(), new GroupCommitLimits(GiveUpAfter: TimeSpan.FromMilliseconds(200)));
        await Assert.ThrowsAsync<StoreUnavailable>(() => commit.SaveAsync(new Item(0)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    [InlineData(62)]
    public async Task One_bad_row_does_not_fail_its_batch_mates(int position)
    {
        await using var steps = new Steps(stage);
        await using var blocker = await stage.Sql.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand("lock table jobs in share row exclusive mode", blocker))
        {
            await hold.ExecuteNonQueryAsync(); // so that the rest gathers into one batch
        }

        var first = steps.SubmitAsync();
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into jobs%'") > 0);
        var jobs = Enumerable.Range(0, 63).Select(i => Steps.NewJob(input: i == position ? """{"text": "a\u0000b"}""" : "{}")).ToArray();
        var submits = jobs.Select(job => steps.Submissions.SubmitAsync([job])).ToArray();
        await transaction.CommitAsync();
        await first;
        for (var i = 0; i < submits.Length; i++)
        {
            if (i == position)
            {
                await Assert.ThrowsAsync<DataRefused>(() => submits[i]);
            }
            else
            {
                Assert.Equal(Contracts.JobState.Queued, (await submits[i])[0].State);
            }
        }

        Assert.Equal(62, await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1)", jobs.Select(j => j.Id).ToArray()));
    }
}
