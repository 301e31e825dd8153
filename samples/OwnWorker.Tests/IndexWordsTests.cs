using Npgsql;
using QueueScale.Testing;
using Xunit;

namespace OwnWorker.Tests;

public sealed class IndexWordsTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("texts");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public async Task Every_word_is_added_once_wherever_the_run_is_interrupted()
    {
        var postgres = Environment.GetEnvironmentVariable("TEST_POSTGRES");
        Assert.SkipWhen(postgres is null, "Set TEST_POSTGRES to the connection string of a database; the test makes a schema of its own in it.");
        File.WriteAllText(Path.Combine(root.FullName, "1.txt"), "row, row, row your boat");
        File.WriteAllText(Path.Combine(root.FullName, "2.txt"), "gently down the stream");
        File.WriteAllText(Path.Combine(root.FullName, "3.txt"), "merrily, merrily, merrily, merrily, row");
        await using var database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(postgres) { SearchPath = "own_worker_tests" });

        var harness = JobHarness.For(() => new IndexWords(new TextFolder(root.FullName)), database, reset: () => ResetAsync(database));
        var job = await harness.InterruptEverywhere(new TextsInput { Folder = "." }, effects: () => RowsAsync(database));

        Assert.Equal(new WordCount(Texts: 3, Words: 14), job.Result);
        Assert.Equal("merrily 4, row 4, boat 1", string.Join(", ", ((IEnumerable<string>)(await RowsAsync(database))!).Take(3)));
    }

    private static async Task ResetAsync(NpgsqlDataSource database)
    {
        await using var reset = database.CreateCommand(
            """
            create schema if not exists own_worker_tests;
            drop table if exists word_counts;
            create table word_counts (word text primary key, count bigint not null)
            """);
        await reset.ExecuteNonQueryAsync();
    }

    private static async Task<object?> RowsAsync(NpgsqlDataSource database)
    {
        await using var select = database.CreateCommand("select word || ' ' || count from word_counts order by count desc, word");
        await using var reader = await select.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
