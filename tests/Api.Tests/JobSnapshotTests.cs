using Microsoft.Extensions.Logging.Abstractions;
using QueueScale.Cache;

namespace QueueScale.Tests;

/// <summary>What Redis keeps of jobs, for whom, for how long, and when it does not.</summary>
public sealed class JobSnapshotTests(Servers servers) : IAsyncLifetime
{
    private const int Tenant = 1;

    private readonly RedisLink link = new(servers.All.Redis.ConnectionString, "test", NullLogger<RedisLink>.Instance);
    private readonly Guid job = Guid.CreateVersion7();
    private JobSnapshots snapshots = null!;

    public async ValueTask InitializeAsync()
    {
        await link.StartAsync(TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(() => Task.FromResult(link.IsUp));
        snapshots = new JobSnapshots(link);
    }

    public async ValueTask DisposeAsync()
    {
        await link.StopAsync(CancellationToken.None);
        link.Dispose();
    }

    [Fact]
    public async Task What_was_read_under_the_token_is_found_by_its_tenant_alone()
    {
        await ShowAsync(await TokenAsync(), 7);
        var found = (await FindAsync()).Snapshot!;
        Assert.Equal((7u, JobState.Running, "v7"), (found.Version, found.State, Encoding.UTF8.GetString(found.Json.Span)));
        Assert.Null((await FindAsync(tenant: 2)).Snapshot);
        Assert.NotNull((await FindAsync()).Snapshot);
    }

    [Fact]
    public async Task All_who_look_before_it_is_read_share_one_token()
    {
        var token = await TokenAsync();
        Assert.Equal(token, await TokenAsync());
    }

    [Fact]
    public async Task What_was_read_before_something_else_was_shown_is_not_kept()
    {
        var late = await TokenAsync();
        Assert.True(await snapshots.ForgetAsync([Guid.NewGuid(), job])); // somebody shows what is newer
        await ShowAsync(late, 7);
        Assert.Null((await FindAsync()).Snapshot);
        await ShowAsync(late, 7); // there is another token now
        Assert.Null((await FindAsync()).Snapshot);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(6)] // versions have no order
    public async Task Where_two_have_read_different_things_neither_is_kept(uint other)
    {
        var token = await TokenAsync();
        await ShowAsync(token, 7);
        await ShowAsync(token, 7);
        Assert.Equal(7u, (await FindAsync()).Snapshot!.Version);
        await ShowAsync(token, other);
        Assert.Null((await FindAsync()).Snapshot);
    }

    [Fact]
    public async Task A_token_does_not_outlive_the_loss_of_all_data()
    {
        var late = await TokenAsync();
        await servers.All.Redis.AskAsync("FLUSHALL", TestContext.Current.CancellationToken);
        await ShowAsync(late, 7);
        var token = await TokenAsync();
        Assert.NotEqual(late, token);
        await ShowAsync(late, 7);
        Assert.Null((await FindAsync()).Snapshot);
    }

    [Fact]
    public async Task A_key_lives_two_seconds_from_when_it_was_made_whatever_is_put_under_it()
    {
        var token = await TokenAsync();
        var made = await LeftAsync();
        Assert.InRange(made, 1, 2000);
        await Waiting.UntilAsync(async () => await LeftAsync() < made - 20);
        await ShowAsync(token, 7);
        await FindAsync();
        Assert.InRange(await LeftAsync(), 1, made - 20);
    }

    [Fact]
    public async Task A_frozen_Redis_holds_nobody_up_and_is_not_there_until_it_answers()
    {
        var redis = servers.All.Redis.Process!;
        redis.SignalAll(Signal.Stop);
        try
        {
            var begun = TimeProvider.System.GetTimestamp();
            Assert.Null(await snapshots.FindAsync(job, Tenant));
            Assert.False(await snapshots.ForgetAsync([job]));
            Assert.InRange(TimeProvider.System.GetElapsedTime(begun), TimeSpan.Zero, TimeSpan.FromSeconds(2));
            link.NoteGone("frozen");
            Assert.False(link.IsUp);
        }
        finally
        {
            redis.SignalAll(Signal.Continue);
        }

        await Waiting.UntilAsync(() => Task.FromResult(link.IsUp));
        await TokenAsync();
    }

    private async Task<SnapshotLook> FindAsync(int tenant = Tenant) => (await snapshots.FindAsync(job, tenant))!.Value;

    private async Task<string> TokenAsync()
    {
        var look = await FindAsync();
        Assert.Null(look.Snapshot);
        return look.Token!;
    }

    private async Task ShowAsync(string token, uint version) =>
        Assert.True(await snapshots.ShowAsync(job, Tenant, token, new JobSnapshot(version, JobState.Running, Encoding.UTF8.GetBytes($"v{version}"))));

    /// <summary>Milliseconds that the key has left.</summary>
    private async Task<int> LeftAsync() => int.Parse((await servers.All.Redis.AskAsync($"PTTL queuescale:job:{job:N}", TestContext.Current.CancellationToken))[1..], System.Globalization.CultureInfo.InvariantCulture);
}
