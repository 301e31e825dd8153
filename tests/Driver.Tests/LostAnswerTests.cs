using Npgsql;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Driver.Tests;

/// <summary>Statements that PostgreSQL has done and whose answer nobody got.</summary>
public sealed class LostAnswerTests(OwnServers servers) : IAsyncLifetime
{
    private static readonly Guid Worker = Guid.CreateVersion7();

    private readonly TcpProxy proxy = TcpProxy.Start(() => servers.All.Postgres.Port);
    private readonly List<(Guid Job, int Dispatch)> woken = [];
    private Database database = null!;
    private PutBacks putBacks = null!;

    public async ValueTask InitializeAsync()
    {
        var direct = servers.All.PostgresConnectionString();
        await LocalSystem.MigrateAsync(direct);
        var through = new NpgsqlConnectionStringBuilder(direct) { Host = proxy.Address.Address.ToString(), Port = proxy.Address.Port };
        database = new(through.ConnectionString, "test");
        putBacks = new(database, jobs => woken.AddRange(jobs.Select(job => (job.Id, job.Dispatch))));
    }

    public async ValueTask DisposeAsync()
    {
        await putBacks.DisposeAsync();
        await database.DisposeAsync();
        await proxy.DisposeAsync();
    }

    [Fact]
    public async Task Jobs_that_were_put_back_are_woken_all_the_same()
    {
        var (first, second) = (await ClaimedAsync(), await ClaimedAsync());
        await putBacks.PutBackAsync(new Unfinished(first, 1, RunEnding.Interrupted, true, TimeSpan.Zero));
        await WithoutAnswerAsync(second, () => putBacks.PutBackAsync(new Unfinished(second, 1, RunEnding.Interrupted, true, TimeSpan.Zero)));
        Assert.Equal([(first, 1), (second, 1)], woken);
    }

    [Fact]
    public async Task Jobs_that_were_given_back_are_woken_all_the_same()
    {
        var (first, second) = (await SubmittedAsync(), await SubmittedAsync());
        await putBacks.GiveBackAsync([new ReadyJob(first, 0)], QueueName.Normal, CancellationToken.None);
        await WithoutAnswerAsync(second, () => Assert.ThrowsAnyAsync<NpgsqlException>(() => putBacks.GiveBackAsync([new ReadyJob(second, 0)], QueueName.Normal, CancellationToken.None)));
        Assert.Equal([(first, 1), (second, 1)], woken);
    }

    [Fact]
    public async Task A_claim_whose_answer_comes_late_knows_of_a_cancel_meanwhile()
    {
        var job = await SubmittedAsync();
        proxy.Switch(new ProxyMode.Delay(TimeSpan.FromSeconds(0.7)));
        var claiming = new Claims(database).ClaimAsync(Worker, [new ReadyJob(job, 0)], suspects: false, CancellationToken.None);
        await Waiting.UntilAsync(async () => await servers.All.Postgres.SqlAsync($"update jobs set cancel_requested = true where id = '{job}' and state = 2 returning epoch", PostgresServer.DefaultDatabase) != "");
        proxy.Switch(new ProxyMode.Pass());
        Assert.True(Assert.Single(await claiming).CancelRequested);
    }

    [Fact]
    public async Task A_submission_with_a_key_is_told_of_its_own_jobs()
    {
        await using var submissions = new Store.Submissions(database, jobs => woken.AddRange(jobs.Select(job => (job.Id, job.Dispatch))), TimeSpan.FromSeconds(20));
        var first = NewJob();
        await submissions.SubmitOnceAsync([first], new IdempotencyKey("first", [1])); // a connection is there, with the statement prepared
        NewJob[] jobs = [NewJob(), NewJob()];
        proxy.Switch(new ProxyMode.SwallowResponses());
        var submitting = submissions.SubmitOnceAsync(jobs, new IdempotencyKey("lost answer", [1]));
        await Waiting.UntilAsync(async () => await servers.All.Postgres.SqlAsync("select count(*) from idempotency_keys where key = 'lost answer'", PostgresServer.DefaultDatabase) == "1");
        proxy.Switch(new ProxyMode.Pass());
        Assert.Equal([JobState.Queued, JobState.Queued], (await submitting).Jobs!.Select(job => job.State));
        Assert.Equal(jobs.Prepend(first).Select(job => (job.Id, 0)).Order(), woken.Order());
    }

    /// <summary>Nothing is answered until the job has moved, and the answer about that is lost.</summary>
    private async Task WithoutAnswerAsync(Guid job, Func<Task> write)
    {
        proxy.Switch(new ProxyMode.SwallowResponses());
        var writing = write();
        await Waiting.UntilAsync(async () => await servers.All.Postgres.SqlAsync($"select dispatch from jobs where id = '{job}'", PostgresServer.DefaultDatabase) == "1");
        proxy.Switch(new ProxyMode.Pass());
        await writing;
    }

    private async Task<Guid> SubmittedAsync()
    {
        var job = NewJob();
        await using var submissions = new Store.Submissions(database, _ => { }, TimeSpan.FromSeconds(5));
        await submissions.SubmitAsync([job]);
        return job.Id;
    }

    private static NewJob NewJob() => new() { Id = Guid.CreateVersion7(), Tenant = 1, Type = "test", Queue = "default", Input = "{}", MaxAttempts = 3 };

    private async Task<Guid> ClaimedAsync()
    {
        var job = await SubmittedAsync();
        Assert.Single(await new Claims(database).ClaimAsync(Worker, [new ReadyJob(job, 0)], suspects: false, CancellationToken.None));
        return job;
    }
}
