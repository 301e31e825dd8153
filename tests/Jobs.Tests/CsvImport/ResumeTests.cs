using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>Stopped, killed and resumed: every row once, and the same result.</summary>
public sealed class ResumeTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(true, "\n")]
    [InlineData(false, "\r\n")]
    [InlineData(true, "\r")]
    public async Task An_import_ends_the_same_wherever_it_is_interrupted(bool hasHeader, string newLine)
    {
        string[] lines =
        [
            "plain,1", "\uFEFFmark,2", "\"quotes \"\"and\"\"" + newLine + "breaks\",3", "", ",", "\"\",5", "ragged", "日本語,🚲", "too,many,fields", "stray\"quote,x",
            "last,\"" + newLine + "\"",
        ];
        var table = ImportFolder.NewTable();
        var source = folder.Write("all.csv", "\uFEFF" + string.Concat((hasHeader ? ["Name,Value", .. lines] : lines).Select(line => line + newLine)));
        var input = new CsvImportInput { Source = source, Table = table, HasHeader = hasHeader, MaxRejected = 3 };

        var job = await folder.Harness(table, rowsPerCheckpoint: 2).InterruptEverywhere(input, async () => await postgres.RowsAsync(table));

        var header = hasHeader ? 1 : 0;
        string?[][] expected =
            [["plain", "1"], ["\uFEFFmark", "2"], [$"quotes \"and\"{newLine}breaks", "3"], [null, null], ["", "5"], ["日本語", "🚲"], ["last", newLine]];
        Assert.Equal(expected, await postgres.RowsAsync(table));
        Assert.Equal((7L, 3L), (job.Result.Rows, job.Result.Rejected));
        Assert.Equal([8L + header, 10 + header, 11 + header], job.Result.Samples.Select(sample => sample.Line));
        Assert.Equal(ImportFolder.Checksum(expected), job.Result.Checksum);
        Assert.Equal(5, job.Checkpoints.Count);
    }

    [Fact]
    public async Task Progress_counts_rows_and_ends_at_the_total()
    {
        var table = ImportFolder.NewTable();
        var input = new CsvImportInput { Source = folder.Write("progress.csv", "a,b\n1,2\n3\n5,6\n7,8\n"), Table = table, MaxRejected = 1 };

        var job = await folder.Harness(table, rowsPerCheckpoint: 1).RunAsync(input, [new(3, InterruptionKind.Stop)]);

        Assert.Equal([1L, 2, 4], job.Progress.Select(progress => progress.Done)); // the third was told to nobody: the run ended
        Assert.All(job.Progress, progress => Assert.True(progress.Total is null or 4));
        Assert.Equal(100, job.Progress[^1].Percent);
    }

    [Fact]
    public async Task A_small_file_has_several_checkpoints_and_a_large_one_not_too_many()
    {
        var table = ImportFolder.NewTable();
        var text = "id,text\n" + string.Concat(Enumerable.Range(1, 60_000).Select(n => $"{n},row number {n}\n"));
        var input = new CsvImportInput { Source = folder.Write("large.csv", text), Table = table };

        var job = await folder.Harness(table, rowsPerCheckpoint: null).InterruptEverywhere(
            input, async () => await postgres.ScalarAsync<string>($"select count(distinct id) || '/' || count(*) from imports.{table}"));

        Assert.Equal(60_000, job.Result.Rows);
        Assert.InRange(job.Checkpoints.Count, 4, 12);
    }

    [Fact]
    public async Task The_documented_SQL_computes_the_checksum()
    {
        var (result, _) = await folder.ImportAsync("a,b,c\n1,,x\n\"\",\"two\nlines\",é\n,,\n", input => input with { Table = "checked" });
        Assert.Equal(result.Checksum, await postgres.ScalarAsync<string>("""
            select coalesce(sum(('x' || left(md5(coalesce(a, '') || chr(31) || coalesce(b, '') || chr(31) || coalesce(c, '')), 15))::bit(60)::bigint), 0)::text
            from imports.checked
            """));
    }
}
