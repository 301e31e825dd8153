using System.Globalization;
using Npgsql;

namespace QueueScale.Faults;

/// <summary>What can happen to PostgreSQL, beyond <see cref="PostgresServer.KillAsync"/>, <see cref="PostgresServer.StopAsync"/> and <see cref="PostgresServer.StartAsync"/>.</summary>
public sealed class PostgresFaults(PostgresServer server)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    private LocalProcess Process => server.Process ?? throw new InvalidOperationException("PostgreSQL does not run.");

    /// <summary>SIGSTOP to the server and all its children.</summary>
    public void Freeze() => Process.SignalAll(Signal.Stop);

    /// <summary>SIGCONT to them.</summary>
    public void Thaw() => Process.SignalAll(Signal.Continue);

    /// <summary>Ends it as <c>pg_ctl stop -m immediate</c> does: at once, without a checkpoint.</summary>
    public Task<bool> StopImmediatelyAsync() => Process.StopAsync(Patience, Signal.Quit);

    /// <summary>SIGKILL to one backend of a database, chosen by chance. The server then ends all others and recovers.</summary>
    /// <returns>Its pid; null when nobody was connected.</returns>
    public async Task<int?> KillBackendAsync(string database)
    {
        var pid = await server.SqlAsync($"SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = {Literal(database)} ORDER BY random() LIMIT 1");
        if (pid.Length == 0) return null;
        var number = int.Parse(pid, CultureInfo.InvariantCulture);
        if (ProcessStat.TryRead(number) is not { } backend || backend.Parent != Process.Pid) return null; // it has gone meanwhile
        backend.Identity.Send(Signal.Kill);
        return number;
    }

    /// <summary>Ends all sessions of a database, as an administrator would.</summary>
    /// <returns>How many.</returns>
    public async Task<int> TerminateBackendsAsync(string database) => int.Parse(
        await server.SqlAsync($"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = {Literal(database)} AND pid <> pg_backend_pid()"),
        CultureInfo.InvariantCulture);

    /// <summary>Takes every free connection, and each one that becomes free, with idle clients, until the result is disposed. Returns when none is left.</summary>
    public async Task<IAsyncDisposable> ExhaustConnectionsAsync()
    {
        var idle = new IdleClients(server.ConnectionString("postgres") + ";Pooling=false;Timeout=5");
        await idle.TakeAllAsync(CancellationToken.None);
        idle.TakeOn();
        return idle;
    }

    /// <summary>Locks a table against everybody, reading included, until the result is disposed. Returns when it has the lock.</summary>
    public async Task<IAsyncDisposable> LockTableAsync(string database, string table = "jobs", CancellationToken cancellation = default)
    {
        var connection = new NpgsqlConnection(server.ConnectionString(database) + ";Pooling=false;Command Timeout=0");
        try
        {
            await connection.OpenAsync(cancellation);
            await using var command = new NpgsqlCommand($"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", connection);
            await command.ExecuteNonQueryAsync(cancellation);
            return connection; // closed, it ends its transaction
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private sealed class IdleClients(string connectionString) : IAsyncDisposable
    {
        private readonly List<NpgsqlConnection> _held = [];
        private readonly CancellationTokenSource _stop = new();
        private Task _taking = Task.CompletedTask;

        /// <summary>Connects until PostgreSQL has no room.</summary>
        public async Task TakeAllAsync(CancellationToken cancellation)
        {
            while (true)
            {
                var connection = new NpgsqlConnection(connectionString);
                try
                {
                    await connection.OpenAsync(cancellation);
                    _held.Add(connection);
                }
                catch (Exception error)
                {
                    await connection.DisposeAsync();
                    if (error is PostgresException { SqlState: PostgresErrorCodes.TooManyConnections }) return;
                    throw;
                }
            }
        }

        public void TakeOn() => _taking = Task.Run(async () =>
        {
            while (true)
            {
                await Task.Delay(Pause, _stop.Token);
                try
                {
                    await TakeAllAsync(_stop.Token);
                }
                catch (NpgsqlException)
                {
                    // PostgreSQL is away, which is somebody else's fault.
                }
            }
        });

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _taking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var connection in _held) await connection.DisposeAsync();
            _stop.Dispose();
        }
    }
}
