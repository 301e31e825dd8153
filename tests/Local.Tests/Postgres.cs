using System.Net;
using System.Net.Sockets;

namespace QueueScale.Local.Tests;

public sealed class Postgres : IAsyncDisposable
{
    private readonly FolderForTest _test = new();
    private readonly PostgresServer _server;

    public Postgres()
    {
        _server = LocalServers.Of(_test.Folder).Postgres;
        _test.Folder.Create();
    }

    private string Home => Path.Combine(_test.Folder.FullPath, "postgres");

    public ValueTask DisposeAsync() => _test.DisposeAsync();

    [Fact]
    public async Task Committed_rows_survive_SIGKILL_and_no_process_stays()
    {
        await _server.StartAsync();
        await _server.SqlAsync("CREATE TABLE kept AS SELECT 42 AS answer", PostgresServer.DefaultDatabase);
        await _server.KillAsync();
        Assert.Empty(_test.Processes());

        await _server.StartAsync();
        Assert.Equal("42", await _server.SqlAsync("SELECT answer FROM kept", PostgresServer.DefaultDatabase));
        Assert.Equal("on|on", await _server.SqlAsync("SELECT current_setting('fsync'), current_setting('synchronous_commit')"));
    }

    [Fact]
    public async Task Starting_twice_starts_once()
    {
        await _server.StartAsync();
        var pid = _server.Process!.Pid;
        await _server.StartAsync();
        Assert.Equal(pid, _server.Process!.Pid);

        await _server.StopAsync();
        Assert.Null(_server.Process);
        Assert.Empty(_test.Processes());
    }

    [Fact]
    public async Task Half_of_a_data_folder_that_a_crash_left_is_made_anew()
    {
        Directory.CreateDirectory(Path.Combine(Home, "data", "base"));
        await File.WriteAllTextAsync(Path.Combine(Home, "data", "PG_VERSION"), "15\n");
        Directory.CreateDirectory(Path.Combine(Home, "initdb-0123", "base"));
        if (OsUser.ForPostgres() is { } user) Posix.ChangeOwner(Home, user);

        await _server.StartAsync();
        Assert.Equal("1", await _server.SqlAsync("SELECT 1"));
        Assert.Equal([Path.Combine(Home, "data")], Directory.EnumerateDirectories(Home));
    }

    [Fact]
    public async Task A_port_that_somebody_else_took_meanwhile_is_replaced()
    {
        await _server.StartAsync();
        var port = _server.Port;
        await _server.StopAsync();
        using var foreign = new TcpListener(IPAddress.Loopback, port);
        foreign.Start();

        await _server.StartAsync();
        Assert.NotEqual(port, _server.Port);
        Assert.Contains($"Port={_server.Port};", _server.ConnectionString(), StringComparison.Ordinal);
        Assert.Equal("1", await _server.SqlAsync("SELECT 1"));
    }

    [Fact]
    public async Task A_stale_postmaster_pid_that_names_somebody_else_does_not_stop_the_start()
    {
        await _server.StartAsync();
        await _server.KillAsync();
        var pidFile = Path.Combine(Home, "data", "postmaster.pid");
        var lines = await File.ReadAllLinesAsync(pidFile);
        await File.WriteAllLinesAsync(pidFile, [$"{Environment.ProcessId}", .. lines.Skip(1)]);

        await _server.StartAsync();
        Assert.Equal("1", await _server.SqlAsync("SELECT 1"));
    }

    [Fact]
    public async Task Databases_come_and_go_also_from_a_template_and_with_somebody_connected()
    {
        await _server.StartAsync();
        await _server.CreateDatabaseAsync("model");
        await _server.SqlAsync("CREATE TABLE thing (id int)", "model");
        await _server.CreateDatabaseAsync("Copy \"1\"", template: "model");
        Assert.Equal("0", await _server.SqlAsync("SELECT count(*) FROM thing", "Copy \"1\""));

        var sleeper = _server.SqlAsync("SELECT pg_sleep(1000)", "Copy \"1\"");
        await _server.DropDatabaseAsync("Copy \"1\"");
        await _server.DropDatabaseAsync("Copy \"1\"");
        await Assert.ThrowsAsync<LocalProblem>(() => sleeper);
    }

    [Fact]
    public async Task A_failed_start_shows_the_end_of_its_log()
    {
        await _server.StartAsync();
        await _server.StopAsync();
        await File.AppendAllTextAsync(Path.Combine(Home, "data", "postgresql.conf"), "\nno_such_setting = 1\n");

        var problem = await Assert.ThrowsAsync<LocalProblem>(() => _server.StartAsync());
        Assert.Contains("no_such_setting", problem.Message, StringComparison.Ordinal);
        Assert.Contains("postgres.log", problem.Message, StringComparison.Ordinal);
    }
}
