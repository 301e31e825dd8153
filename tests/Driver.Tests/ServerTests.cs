using System.Net;
using System.Text;
using Npgsql;

namespace QueueScale.Driver.Tests;

public sealed class ServerTests(OwnServers servers) : IAsyncDisposable
{
    private const string Database = PostgresServer.DefaultDatabase;

    private readonly PostgresFaults _postgres = new(servers.All.Postgres);
    private readonly BrokerFaults _broker = new(servers.All.Rabbit);

    private PostgresServer Postgres => servers.All.Postgres;

    private RabbitServer Rabbit => servers.All.Rabbit;

    public async ValueTask DisposeAsync()
    {
        await Postgres.StartAsync();
        await Rabbit.StartAsync();
    }

    [Fact]
    public async Task A_frozen_PostgreSQL_answers_when_it_is_thawed()
    {
        await using var client = await ConnectAsync();
        _postgres.Freeze();
        var answer = AskAsync<int>(client, "SELECT 42");
        await Task.Delay(500);
        Assert.False(answer.IsCompleted);
        _postgres.Thaw();
        Assert.Equal(42, await answer.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task An_immediate_stop_cuts_everyone_and_the_next_start_recovers()
    {
        await using var client = await ConnectAsync();
        await AskAsync<object?>(client, "CREATE TABLE kept_immediate AS SELECT 42 AS answer");
        Assert.True(await _postgres.StopImmediatelyAsync());
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => AskAsync<int>(client, "SELECT 1"));
        Assert.Null(Postgres.Process);

        await Postgres.StartAsync();
        Assert.Equal("42", await Postgres.SqlAsync("SELECT answer FROM kept_immediate", Database));
        Assert.Contains("not properly shut down", await File.ReadAllTextAsync(Postgres.Process!.LogPath), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_killed_backend_takes_all_others_with_it_and_the_server_stays()
    {
        var server = Postgres.Process!.Pid;
        await using var victim = await ConnectAsync();
        await using var other = await ConnectAsync();
        var killed = await _postgres.KillBackendAsync(Database);
        Assert.Contains(killed, new int?[] { victim.ProcessID, other.ProcessID });
        foreach (var connection in (NpgsqlConnection[])[victim, other])
        {
            Assert.True(await Ground.UntilAsync(async () => await Record.ExceptionAsync(() => AskAsync<int>(connection, "SELECT 1")) is NpgsqlException, TimeSpan.FromSeconds(5))); // the server notices in its own time
        }

        await Postgres.StartAsync(); // waits until it answers again
        Assert.Equal(server, Postgres.Process!.Pid);
    }

    [Fact]
    public async Task Terminated_backends_hear_that_an_administrator_did_it()
    {
        await using var client = await ConnectAsync();
        Assert.Equal(1, await _postgres.TerminateBackendsAsync(Database));
        var error = await Assert.ThrowsAsync<PostgresException>(() => AskAsync<int>(client, "SELECT 1"));
        Assert.Equal(PostgresErrorCodes.AdminShutdown, error.SqlState);
        Assert.Null(await _postgres.KillBackendAsync(Database)); // nobody is left
    }

    [Fact]
    public async Task Exhausted_connections_stay_exhausted_when_one_is_given_back()
    {
        var held = await ConnectAsync();
        await using (await _postgres.ExhaustConnectionsAsync())
        {
            Assert.Equal(PostgresErrorCodes.TooManyConnections, (await Assert.ThrowsAsync<PostgresException>(ConnectAsync)).SqlState);
            await held.DisposeAsync();
            await Task.Delay(500);
            Assert.Equal(PostgresErrorCodes.TooManyConnections, (await Assert.ThrowsAsync<PostgresException>(ConnectAsync)).SqlState);
        }
        await using var free = await ConnectAsync();
    }

    [Fact]
    public async Task A_locked_table_is_locked_until_it_is_let_go()
    {
        await Postgres.SqlAsync("CREATE TABLE locked AS SELECT 42 AS answer", Database);
        await using var client = await ConnectAsync();
        Task<int> answer;
        await using (await _postgres.LockTableAsync(Database, "locked"))
        {
            answer = AskAsync<int>(client, "SELECT answer FROM locked");
            await Task.Delay(300);
            Assert.False(answer.IsCompleted);
        }
        Assert.Equal(42, await answer.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_full_disk_under_the_write_ahead_log_stops_PostgreSQL_and_loses_nothing()
    {
        await Postgres.SqlAsync("CREATE TABLE filled (number int, text text)", Database);
        var data = await Postgres.SqlAsync("SELECT current_setting('data_directory')");
        await Postgres.StopAsync();
        await using (var disk = await TmpfsDisk.MountAsync(Path.Combine(data, "pg_wal"), 100 << 20).OrSkipAsync())
        {
            await Postgres.StartAsync();
            await Postgres.SqlAsync("INSERT INTO filled SELECT 1", Database);
            disk.Fill();
            await Assert.ThrowsAsync<LocalProblem>(() => Postgres.SqlAsync("INSERT INTO filled SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 200000) n", Database));
            disk.Free();
            await Waiting.UntilAsync(async () =>
            {
                try
                {
                    await Postgres.StartAsync(); // where the full disk has ended it
                    Assert.Equal("1", await Postgres.SqlAsync("SELECT count(*) FROM filled", Database));
                    return true;
                }
                catch (LocalProblem)
                {
                    return false; // it recovers; a server whose process has just died may accept a connection before it notices
                }
            });

            // The folder below the disk holds the log of before: the data has to go with the disk.
            await Postgres.KillAsync();
        }
        Postgres.DeleteData();
    }

    [Fact]
    public async Task A_frozen_broker_answers_when_it_is_thawed()
    {
        using var client = Rabbit.ManagementClient();
        await client.GetStringAsync("api/overview");
        _broker.Freeze();
        var answer = client.GetStringAsync("api/overview");
        await Task.Delay(500);
        Assert.False(answer.IsCompleted);
        _broker.Thaw();
        await answer.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_wiped_broker_is_as_after_its_first_start()
    {
        await Rabbit.CreateVhostAsync("own");
        using (var client = Rabbit.ManagementClient())
        {
            foreach (var vhost in new[] { RabbitServer.DefaultVhost, "own" })
            {
                using var content = new StringContent("""{"durable": true, "arguments": {"x-queue-type": "quorum"}}""", Encoding.UTF8, "application/json");
                using var made = await client.PutAsync($"api/queues/{vhost}/q", content);
                Assert.Equal(HttpStatusCode.Created, made.StatusCode);
            }
        }

        var port = Rabbit.Port;
        var address = Rabbit.Uri();
        await _broker.WipeAsync("own");
        Assert.Equal((port, address), (Rabbit.Port, Rabbit.Uri()));
        using (var client = Rabbit.ManagementClient())
        {
            Assert.Equal("[]", await client.GetStringAsync("api/queues"));
            foreach (var vhost in new[] { RabbitServer.DefaultVhost, "own" })
            {
                Assert.Contains("\"configure\":\".*\"", await client.GetStringAsync($"api/permissions/{vhost}/{RabbitServer.User}"), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Alarms_are_on_when_raised_and_off_when_ended()
    {
        await _broker.RaiseMemoryAlarmAsync();
        Assert.Contains("memory", await AlarmsAsync(), StringComparison.Ordinal);
        await _broker.EndAlarmsAsync();
        await _broker.RaiseDiskAlarmAsync();
        Assert.Contains("disk", await AlarmsAsync(), StringComparison.Ordinal);
        await _broker.EndAlarmsAsync();
        Assert.DoesNotContain("resource", await AlarmsAsync(), StringComparison.Ordinal);
    }

    private async Task<string> AlarmsAsync()
    {
        using var client = Rabbit.ManagementClient();
        using var answer = await client.GetAsync("api/health/checks/alarms");
        return await answer.Content.ReadAsStringAsync();
    }

    private async Task<NpgsqlConnection> ConnectAsync()
    {
        var connection = new NpgsqlConnection(Postgres.ConnectionString() + ";Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    private static async Task<T?> AskAsync<T>(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return (T?)await command.ExecuteScalarAsync();
    }
}
