using Npgsql;

namespace QueueScale.Jobs.Tests;

/// <summary>A fresh database on a real PostgreSQL, for one test class.</summary>
public sealed class PostgresForTests : IAsyncLifetime
{
    private const string Variable = "QUEUESCALE_TEST_POSTGRES";

    private readonly string database = $"jobs_tests_{Guid.NewGuid():N}";
    private NpgsqlDataSource? server;
    private NpgsqlDataSource? own;

    public NpgsqlDataSource Database => own ?? throw new InvalidOperationException("The database is not there yet.");

    public async ValueTask InitializeAsync()
    {
        var address = Environment.GetEnvironmentVariable(Variable)
            ?? throw new InvalidOperationException($"Set {Variable} to the connection string of a PostgreSQL whose user may create databases.");
        server = NpgsqlDataSource.Create(address);
        await using (var command = server.CreateCommand($"create database {database}")) await command.ExecuteNonQueryAsync();
        var toOwn = new NpgsqlConnectionStringBuilder(address) { Database = database, GssEncryptionMode = GssEncryptionMode.Disable };
        own = NpgsqlDataSource.Create(toOwn.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        if (own is not null) await own.DisposeAsync();
        if (server is null) return;
        await using (var command = server.CreateCommand($"drop database if exists {database} with (force)")) await command.ExecuteNonQueryAsync();
        await server.DisposeAsync();
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The rows of an imported table as text, in the order in which they came.</summary>
    public async Task<string?[][]> RowsAsync(string table)
    {
        var columns = await ScalarAsync<string[]>($$"""
            select coalesce(array_agg(format('%I::text', attname) order by attnum), '{}')
            from pg_attribute where attrelid = to_regclass('imports."{{table}}"') and attnum > 0 and not attisdropped
            """);
        if (columns.Length == 0) return [];
        await using var command = Database.CreateCommand($"select array[{string.Join(", ", columns)}] from imports.\"{table}\" order by ctid");
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string?[]>();
        while (await reader.ReadAsync()) rows.Add(await reader.GetFieldValueAsync<string?[]>(0));
        return [.. rows];
    }

    public Task<string[]> ColumnsAsync(string table) => ScalarAsync<string[]>($"""
        select array_agg(attname || ' ' || format_type(atttypid, atttypmod) order by attnum)
        from pg_attribute where attrelid = 'imports."{table}"'::regclass and attnum > 0 and not attisdropped
        """);
}
