namespace QueueScale.Tests;

/// <summary>What cannot be known is not shown, and never as 0.</summary>
public sealed class OutageTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private static readonly string[] Depth =
    [
        "queuescale_queue_ready", "queuescale_queue_running", "queuescale_queue_scheduled", "queuescale_queue_oldest_seconds", "queuescale_queue_drain_seconds", "queuescale_workers_live",
        "queuescale_workers_desired",
    ];

    public async ValueTask DisposeAsync()
    {
        stage.Servers.All.Postgres.Process?.SignalAll(Signal.Continue);
        await stage.Servers.All.Postgres.StartAsync();
        await stage.Servers.All.Rabbit.StartAsync();
        stage.Sql.Clear();
        await stage.StopAllAsync();
    }

    [Theory]
    [InlineData("stopped")]
    [InlineData("frozen")]
    public async Task While_PostgreSQL_does_not_answer_there_is_no_depth_and_afterwards_it_is_there_again(string how)
    {
        var (api, _) = await StartAsync();
        var postgres = stage.Servers.All.Postgres;
        if (how == "stopped")
        {
            await postgres.StopAsync();
        }
        else
        {
            postgres.Process!.SignalAll(Signal.Stop);
        }

        await Waiting.UntilAsync(async () => !Names(await Scrape.OfAsync(api)).Any(Depth.Contains), patience: TimeSpan.FromSeconds(6));
        Assert.Equal(0, (await Scrape.OfAsync(api)).Value("queuescale_dependency_up", ("name", "postgres")));

        postgres.Process?.SignalAll(Signal.Continue);
        await postgres.StartAsync();
        await Waiting.UntilAsync(async () => Depth.All(Names(await Scrape.OfAsync(api)).Contains), patience: TimeSpan.FromSeconds(6));
        Assert.Equal(1, (await Scrape.OfAsync(api)).Value("queuescale_dependency_up", ("name", "postgres")));
    }

    [Fact]
    public async Task While_RabbitMQ_is_away_nobody_claims_that_it_holds_no_message()
    {
        var (api, worker) = await StartAsync();
        await Waiting.UntilAsync(async () => Names(await Scrape.OfAsync(api)).Contains("queuescale_broker_messages"));
        await stage.Servers.All.Rabbit.StopAsync();
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(api)).Value("queuescale_dependency_up", ("name", "rabbitmq")) == 0);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(worker)).Value("queuescale_dependency_up", ("name", "rabbitmq")) == 0);
        Assert.DoesNotContain("queuescale_broker_messages", Names(await Scrape.OfAsync(api)));
        Assert.Contains("queuescale_queue_ready", Names(await Scrape.OfAsync(api)));
    }

    private async Task<(HostProcess Api, HostProcess Worker)> StartAsync()
    {
        var api = await stage.StartApiAsync();
        var worker = await stage.StartWorkerAsync("w");
        await Waiting.UntilAsync(async () => Depth.All(Names(await Scrape.OfAsync(api)).Contains));
        return (api, worker);
    }

    private static HashSet<string> Names(Scrape scrape) => [.. scrape.Families.Select(family => family.Name)];
}
