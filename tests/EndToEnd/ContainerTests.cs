using DotNet.Testcontainers.Builders;
using Testcontainers.RabbitMq;

namespace QueueScale.Tests;

/// <summary>The road on RabbitMQ 4, whatever is installed here.</summary>
public sealed class ContainerTests(Stage stage) : IClassFixture<Stage>
{
    private const string Image = "rabbitmq:4-management";

    [Fact]
    public async Task Jobs_run_and_are_handed_over_on_RabbitMQ_4_in_a_container()
    {
        await using var rabbit = await StartOrSkipAsync();
        (string, string?)[] settings = [("ConnectionStrings__RabbitMq", rabbit.GetConnectionString()), ("Worker__Slots", "2")];
        var client = stage.Client(await stage.StartApiAsync(settings: settings));
        var workers = new Dictionary<string, HostProcess>
        {
            ["w1"] = await stage.StartWorkerAsync("w1", settings: settings),
            ["w2"] = await stage.StartWorkerAsync("w2", settings: settings),
        };

        var job = (await client.SubmitAsync(Programs.Sleep(6, 60))).Id;
        await client.WaitForAsync(job, j => j.Progress?.Done >= 5);
        var others = await client.SubmitBatchAsync([.. Enumerable.Range(0, 300).Select(_ => Programs.Sleep(0.02, 1))]); // more than two slots take: wake-ups go back and forth
        var first = await client.WorkerOfAsync(job);
        workers[first].Process.Signal(Signal.Terminate);
        Assert.Equal(0, await workers[first].Process.WaitForExitAsync());

        var end = await client.WaitForEndAsync(job);
        Assert.Equal((JobState.Succeeded, 1), (end.State, end.Interruptions));
        Assert.InRange((await client.GetRunsAsync(job)).Items[1].HandoverSeconds!.Value, 0, 2);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where id = any($1) and state = 5", others) == others.Count);
    }

    private static async Task<RabbitMqContainer> StartOrSkipAsync()
    {
        try
        {
            var rabbit = new RabbitMqBuilder(Image).Build();
            await rabbit.StartAsync(TestContext.Current.CancellationToken);
            return rabbit;
        }
        catch (DockerUnavailableException why)
        {
            Assert.Skip($"No Docker engine can be used: {why.Message}");
            throw;
        }
    }
}
