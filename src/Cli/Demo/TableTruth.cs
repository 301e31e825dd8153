using System.Globalization;
using System.Numerics;
using Npgsql;

namespace QueueScale.Cli.Demo;

/// <summary>What an imported table holds, as PostgreSQL sees it.</summary>
/// <param name="Rows">Its rows.</param>
/// <param name="Checksum">The same sum as <see cref="FileTruth.Checksum"/>, computed in SQL.</param>
internal sealed record TableTruth(long Rows, UInt128 Checksum)
{
    /// <summary>Removes what an earlier demo with another file has left.</summary>
    public static async Task DropAsync(string postgres, string table, CancellationToken stop)
    {
        await using var database = NpgsqlDataSource.Create(postgres);
        await using var command = database.CreateCommand($"create schema if not exists imports; drop table if exists imports.\"{table}\"");
        await command.ExecuteNonQueryAsync(stop);
    }

    public static async Task<TableTruth> OfAsync(string postgres, string table, CancellationToken stop)
    {
        await using var database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(postgres) { CommandTimeout = 600 });
        var columns = new List<string>();
        await using (var command = database.CreateCommand("select column_name from information_schema.columns where table_schema = 'imports' and table_name = $1 order by ordinal_position"))
        {
            command.Parameters.Add(new() { Value = table });
            await using var reader = await command.ExecuteReaderAsync(stop);
            while (await reader.ReadAsync(stop))
            {
                columns.Add($"coalesce(\"{reader.GetString(0)}\", '')");
            }
        }

        if (columns.Count == 0)
        {
            return new TableTruth(0, 0); // an empty file names no columns, and makes no table
        }

        var row = string.Join(" || chr(31) || ", columns);
        await using var sum = database.CreateCommand($"select count(*), coalesce(sum(('x' || left(md5({row}), 15))::bit(60)::bigint), 0) from imports.\"{table}\"");
        await using var found = await sum.ExecuteReaderAsync(stop);
        await found.ReadAsync(stop);
        return new TableTruth(found.GetInt64(0), UInt128.Parse(found.GetFieldValue<BigInteger>(1).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
    }
}
