using System.Data.Common;
using Npgsql;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>The table of an import. All that happens to it happens in the transaction of a checkpoint, so all of it happens exactly once.</summary>
internal sealed class TargetTable(string tenant, string table, IReadOnlyList<ImportColumn> columns)
{
    /// <summary>PostgreSQL cuts longer names, and two tenants' schemas would be one.</summary>
    private const int MostOfName = 63;

    // "if not exists" alone fails when two transactions create the same thing at once; who holds this creates.
    private const long CreationLock = 0x7173_696d_706f_7274;

    // All of these are safe names by now; the quotes are for words that SQL has for itself, such as order.
    private readonly string schema = SchemaOf(tenant);
    private readonly string name = $"\"{SchemaOf(tenant)}\".\"{table}\"";
    private readonly string columnNames = string.Join(", ", columns.Select(column => $"\"{column.Name}\""));

    /// <exception cref="JobFailed">The name is too long.</exception>
    private static string SchemaOf(string tenant)
    {
        var schema = tenant == TenantName.First ? "imports" : $"imports_{tenant}";
        return schema.Length <= MostOfName ? schema : throw new JobFailed(
            $"table: a schema for tenant {tenant} would have {schema.Length} characters and may have {MostOfName}. Give tenants that import files shorter names.", "input_invalid");
    }

    /// <summary>Makes the table ready for the first rows: creates it if it is missing, checks that its columns fit, and empties it if asked.</summary>
    /// <exception cref="JobFailed">Its columns do not fit.</exception>
    public async Task PrepareAsync(DbTransaction transaction, ImportMode mode, CancellationToken stop)
    {
        if (!await ExistsAsync(transaction, stop))
        {
            if (columns.Count == 0) return; // an empty file that names no columns has no table to create
            await CreateAsync(transaction, stop);
        }

        await MustFitAsync(transaction, stop);
        if (mode == ImportMode.Replace) await ExecuteAsync(transaction, $"truncate {name}", stop);
    }

    /// <summary>Adds rows.</summary>
    public async Task CopyAsync(DbTransaction transaction, CopyRows rows, CancellationToken stop)
    {
        if (rows.Count == 0) return;
        var connection = (NpgsqlConnection)transaction.Connection!;
        await using var copy = await connection.BeginRawBinaryCopyAsync($"copy {name} ({columnNames}) from stdin (format binary)", stop);
        await copy.WriteAsync(rows.Finished(), stop); // should this fail half-way, the transaction fails with it
    }

    private async Task<bool> ExistsAsync(DbTransaction transaction, CancellationToken stop)
    {
        await using var command = Command(transaction, $"select to_regclass('{name}') is not null");
        return (bool)(await command.ExecuteScalarAsync(stop))!;
    }

    private async Task CreateAsync(DbTransaction transaction, CancellationToken stop)
    {
        await ExecuteAsync(transaction, $"select pg_advisory_xact_lock({CreationLock})", stop);
        // "if not exists" looks into the session's cache of names, and only a statement that opens a table brings that up to what others have committed.
        await ExecuteAsync(transaction, "select from pg_namespace limit 0", stop);
        await ExecuteAsync(transaction, $"create schema if not exists \"{schema}\"", stop);
        var definitions = columns.Select(column => $"\"{column.Name}\" {ColumnType.Named(column.Type)!.SqlName}");
        await ExecuteAsync(transaction, $"create table if not exists {name} ({string.Join(", ", definitions)})", stop);
    }

    private async Task MustFitAsync(DbTransaction transaction, CancellationToken stop)
    {
        var there = await ColumnsAsync(transaction, stop);
        var misfits = new List<string>();
        foreach (var column in columns)
        {
            var type = ColumnType.Named(column.Type)!.SqlName;
            if (!there.Remove(column.Name, out var found)) misfits.Add($"it has no column {column.Name}");
            else if (found.Type != type) misfits.Add($"its column {column.Name} is {found.Type}, not {type}");
        }

        if (columns.Count > 0) misfits.AddRange(there.Where(other => other.Value.IsNeeded).Select(other => $"the file has nothing for its column {other.Key}"));
        if (misfits.Count == 0) return;
        throw new JobFailed(
            $"table: {schema}.{table} is there and does not fit: {string.Join("; ", misfits.Take(5))}. "
            + "Name its columns and types in columns, or give another table.",
            "table_misfit");
    }

    private async Task<Dictionary<string, (string Type, bool IsNeeded)>> ColumnsAsync(DbTransaction transaction, CancellationToken stop)
    {
        var found = new Dictionary<string, (string, bool)>();
        await using var command = Command(transaction, $"""
            select attname, format_type(atttypid, atttypmod), attnotnull and not atthasdef and attidentity = ''
            from pg_attribute where attrelid = '{name}'::regclass and attnum > 0 and not attisdropped
            """);
        await using var reader = await command.ExecuteReaderAsync(stop);
        while (await reader.ReadAsync(stop)) found.Add(reader.GetString(0), (reader.GetString(1), reader.GetBoolean(2)));
        return found;
    }

    private static async Task ExecuteAsync(DbTransaction transaction, string sql, CancellationToken stop)
    {
        await using var command = Command(transaction, sql);
        await command.ExecuteNonQueryAsync(stop);
    }

    private static DbCommand Command(DbTransaction transaction, string sql)
    {
        var command = transaction.Connection!.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, sql);
        return command;
    }
}
