using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>A data folder with files to import, and harnesses that import from it.</summary>
internal sealed class ImportFolder(PostgresForTests postgres) : IDisposable
{
    private static int tables;

    /// <summary>As a worker has it that allows nothing.</summary>
    public static Outbound Outbound { get; } = new(Options.Create(new JobsOptions()));

    public string Root { get; } = Directory.CreateTempSubdirectory("queuescale-imports-").FullName;

    /// <summary>A table's name that no other test has.</summary>
    public static string NewTable() => $"t{Interlocked.Increment(ref tables)}";

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(Path.Combine(Root, name), bytes);
        return $"file:{name}";
    }

    /// <summary>A harness that imports so many rows a checkpoint.</summary>
    /// <param name="table">Dropped before each round.</param>
    /// <param name="rowsPerCheckpoint">Rows a checkpoint.</param>
    /// <param name="before">SQL to run before each round, once the table is dropped.</param>
    /// <param name="outbound">How to fetch from other machines.</param>
    public JobHarness<CsvImportInput, CsvImportResult> Harness(string table, int? rowsPerCheckpoint = 2, string before = "", Outbound? outbound = null) => JobHarness.For(
        () => new CsvImport(Options.Create(new JobsOptions { DataRoot = Root }), outbound ?? Outbound, rowsPerCheckpoint),
        postgres.Database,
        reset: () => postgres.ExecuteAsync($"drop table if exists imports.\"{table}\"; {before}"));

    /// <summary>Imports a text and returns the result and the table's rows.</summary>
    public Task<(CsvImportResult Result, string?[][] Rows)> ImportAsync(string text, Func<CsvImportInput, CsvImportInput>? with = null) =>
        ImportAsync(Encoding.UTF8.GetBytes(text), with);

    public async Task<(CsvImportResult Result, string?[][] Rows)> ImportAsync(byte[] bytes, Func<CsvImportInput, CsvImportInput>? with = null)
    {
        var table = NewTable();
        var input = new CsvImportInput { Source = Write($"{table}.csv", bytes), Table = table };
        var job = await Harness(table).RunAsync(with?.Invoke(input) ?? input);
        return (job.Result, await postgres.RowsAsync(table));
    }

    public async Task<JobFailed> FailsAsync(string text, Func<CsvImportInput, CsvImportInput>? with = null) =>
        await Assert.ThrowsAsync<JobFailed>(() => ImportAsync(text, with));

    /// <summary>The checksum of rows, computed by other means than the import's.</summary>
    public static string Checksum(IEnumerable<string?[]> rows)
    {
        var sum = BigInteger.Zero;
        foreach (var row in rows)
        {
#pragma warning disable CA5351 // the checksum's own definition
            var hash = Convert.ToHexString(MD5.HashData(Encoding.UTF8.GetBytes(string.Join('\u001f', row))));
#pragma warning restore CA5351
            sum += BigInteger.Parse("0" + hash[..15], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        return sum.ToString(CultureInfo.InvariantCulture);
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
