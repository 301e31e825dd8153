using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>Which files may be read, and that they must stay as they are.</summary>
public sealed class SourceFileTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("file:../secret.csv", "input_invalid")]
    [InlineData("file:a/../../secret.csv", "input_invalid")]
    [InlineData("file:..", "input_invalid")]
    [InlineData("file:/etc/passwd", "input_invalid")]
    [InlineData("file:..\\secret.csv", "input_invalid")]
    [InlineData("file:a\0b", "input_invalid")]
    [InlineData("file:", "input_invalid")]
    [InlineData("http://example.com/x.csv", "input_invalid")]
    [InlineData("HTTPS://example.com/x.csv", "input_invalid")]
    [InlineData("x.csv", "input_invalid")]
    [InlineData("FILE:x.csv", "input_invalid")]
    [InlineData("file:not-there.csv", "source_missing")]
    [InlineData("file:.", "input_invalid")]
    [InlineData("file:folder", "source_missing")]
    public async Task A_source_that_is_no_file_below_the_data_folder_is_refused(string source, string code)
    {
        Directory.CreateDirectory(Path.Combine(folder.Root, "folder"));
        var failed = await FailsAsync(source);
        Assert.Equal(code, failed.Code);
        Assert.StartsWith("source:", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Links_that_leave_the_data_folder_are_refused_wherever_they_are_in_the_path()
    {
        using var outside = new ImportFolder(postgres);
        outside.Write("secret.csv", "a\n1\n");
        File.CreateSymbolicLink(Path.Combine(folder.Root, "file"), Path.Combine(outside.Root, "secret.csv"));
        Directory.CreateSymbolicLink(Path.Combine(folder.Root, "folder"), outside.Root);
        File.CreateSymbolicLink(Path.Combine(folder.Root, "twice"), "folder/secret.csv");
        File.CreateSymbolicLink(Path.Combine(folder.Root, "up"), $"../{Path.GetFileName(outside.Root)}/secret.csv");
        File.CreateSymbolicLink(Path.Combine(folder.Root, "circle"), "circle");

        foreach (var source in (string[])["file:file", "file:folder/secret.csv", "file:twice", "file:up", "file:circle"])
        {
            Assert.Equal("input_invalid", (await FailsAsync(source)).Code);
        }
    }

    [Fact]
    public async Task A_folder_whose_name_only_begins_like_the_data_folder_is_outside()
    {
        var beside = folder.Root + "-beside";
        Directory.CreateDirectory(beside);
        try
        {
            await File.WriteAllTextAsync(Path.Combine(beside, "x.csv"), "a\n1\n");
            File.CreateSymbolicLink(Path.Combine(folder.Root, "x.csv"), Path.Combine(beside, "x.csv"));
            Assert.Equal("input_invalid", (await FailsAsync("file:x.csv")).Code);
        }
        finally
        {
            Directory.Delete(beside, recursive: true);
        }
    }

    [Fact]
    public async Task Folders_and_links_inside_are_fine_and_so_is_a_data_folder_that_is_a_link()
    {
        Directory.CreateDirectory(Path.Combine(folder.Root, "2024", "may"));
        folder.Write("2024/may/real.csv", "a\n1\n");
        File.CreateSymbolicLink(Path.Combine(folder.Root, "latest.csv"), "2024/./may/../may/real.csv");
        var link = folder.Root + "-link";
        Directory.CreateSymbolicLink(link, folder.Root);
        try
        {
            var harness = JobHarness.For(() => new CsvImport(Options.Create(new JobsOptions { DataRoot = link }), ImportFolder.Outbound), postgres.Database);
            Assert.Equal(1, (await harness.RunAsync(new CsvImportInput { Source = "file:latest.csv", Table = ImportFolder.NewTable() })).Result.Rows);
            Assert.Equal(1, (await harness.RunAsync(new CsvImportInput { Source = "file:2024/may/real.csv", Table = ImportFolder.NewTable() })).Result.Rows);
        }
        finally
        {
            Directory.Delete(link);
        }
    }

    [Fact]
    public async Task A_worker_without_a_data_folder_says_so()
    {
        var harness = JobHarness.For(() => new CsvImport(Options.Create(new JobsOptions()), ImportFolder.Outbound));
        var failed = await Assert.ThrowsAsync<JobFailed>(() => harness.RunAsync(new CsvImportInput { Source = "file:x.csv", Table = "t" }));
        Assert.Equal("source_missing", failed.Code);
        Assert.Contains("Jobs:DataRoot", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\n1\n2\n3\n4\n5\n6\n7\n8\n")] // grown
    [InlineData("a\n1\n2\n3\n")] // cut
    [InlineData("a\n1\n2\n3\n4\n5\n6\nX\n")] // as long as before
    [InlineData("x;y\n1;2\n")] // another file
    [InlineData("")]
    public async Task A_file_that_changed_between_two_runs_fails_the_job(string text)
    {
        var table = ImportFolder.NewTable();
        var input = new CsvImportInput { Source = folder.Write("changing.csv", "a\n1\n2\n3\n4\n5\n6\n7\n"), Table = table };
        var harness = folder.Harness(table);
        var checkpoints = (await harness.RunAsync(input)).Checkpoints;

        folder.Write("changing.csv", text);
        harness.From = checkpoints[1].Json;
        var failed = await Assert.ThrowsAsync<JobFailed>(() => harness.RunAsync(input));

        Assert.Equal("source_changed", failed.Code);
        Assert.Equal(7L, await postgres.ScalarAsync<long>($"select count(*) from imports.{table}"));
    }

    [Fact]
    public async Task A_file_that_grows_during_a_run_fails_the_job()
    {
        var table = ImportFolder.NewTable();
        var input = new CsvImportInput { Source = folder.Write("growing.csv", "a\n1\n2\n3\n4\n5\n6\n7\n"), Table = table };
        // The rows wait for a lock that the test holds, so that it can act in the middle of the run.
        await postgres.ExecuteAsync($"create schema if not exists imports; create table imports.{table} (a text)");
        await using var gate = await postgres.Database.OpenConnectionAsync();
        await ExecuteAsync(gate, "select pg_advisory_lock(77)");
        await postgres.ExecuteAsync($"""
            create function wait_{table}() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(77); return new; end $$;
            create trigger wait before insert on imports.{table} for each row execute function wait_{table}()
            """);

        var run = folder.Harness(table).RunAsync(input);
        while (!await postgres.ScalarAsync<bool>("select exists (select from pg_locks where locktype = 'advisory' and objid = 77 and not granted)"))
        {
            Assert.False(run.IsCompleted, "the run ended without waiting");
        }

        await File.AppendAllTextAsync(Path.Combine(folder.Root, "growing.csv"), "8\n");
        await ExecuteAsync(gate, "select pg_advisory_unlock(77)");

        Assert.Equal("source_changed", (await Assert.ThrowsAsync<JobFailed>(() => run)).Code);
        Assert.Equal(2L, await postgres.ScalarAsync<long>($"select count(*) from imports.{table}"));
    }

    private static async Task ExecuteAsync(Npgsql.NpgsqlConnection connection, string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<JobFailed> FailsAsync(string source)
    {
        var table = ImportFolder.NewTable();
        return await Assert.ThrowsAsync<JobFailed>(() => folder.Harness(table).RunAsync(new CsvImportInput { Source = source, Table = table }));
    }
}
