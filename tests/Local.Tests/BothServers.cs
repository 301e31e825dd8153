namespace QueueScale.Local.Tests;

/// <summary>RabbitMQ takes seconds to start: one start for all that can share it.</summary>
public sealed class BothServers : IAsyncDisposable
{
    private readonly FolderForTest _test = new();

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task Both_start_once_serve_vhosts_survive_SIGKILL_and_leave_nothing_when_stopped()
    {
        var servers = await LocalServers.StartAsync(_test.Folder);
        Assert.True(servers.AreRunning);
        var (postgres, rabbit) = (servers.Postgres.Process!.Pid, servers.Rabbit.Process!.Pid);
        await LocalServers.StartAsync(_test.Folder);
        Assert.Equal((postgres, rabbit), (servers.Postgres.Process!.Pid, servers.Rabbit.Process!.Pid));

        using (var client = servers.Rabbit.ManagementClient())
        {
            await servers.Rabbit.CreateVhostAsync("a/b");
            await client.GetStringAsync("api/vhosts/a%2Fb");
            await servers.Rabbit.DeleteVhostAsync("a/b");
            await servers.Rabbit.DeleteVhostAsync("a/b");
            await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("api/vhosts/a%2Fb"));
        }
        Assert.EndsWith("/a%2Fb", servers.RabbitMqUri("a/b"), StringComparison.Ordinal);

        await servers.Rabbit.CreateVhostAsync("kept");
        await servers.Rabbit.KillAsync();
        Assert.Null(servers.Rabbit.Process);
        Assert.DoesNotContain(_test.Processes(), process => process.Contains("beam", StringComparison.Ordinal) || process.Contains("erl", StringComparison.Ordinal));

        await servers.Rabbit.StartAsync();
        using (var client = servers.Rabbit.ManagementClient()) await client.GetStringAsync("api/vhosts/kept");

        await servers.StopAsync();
        Assert.Empty(_test.Processes());
    }
}
