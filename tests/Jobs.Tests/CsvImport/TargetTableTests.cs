using System.Text.Json;
using System.Text.Json.Nodes;
using QueueScale.Contracts;

namespace QueueScale.Jobs.Tests;

/// <summary>The table: its name, its columns, and what it holds already.</summary>
public sealed class TargetTableTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("Orders")]
    [InlineData("1orders")]
    [InlineData("a;drop table x")]
    [InlineData("a\"b")]
    [InlineData("a\n")]
    [InlineData("")]
    [InlineData("a123456789012345678901234567890123456789012345678901234567890123")]
    public async Task A_table_whose_name_is_not_safe_is_refused(string table)
    {
        var failed = await folder.FailsAsync("a\n1\n", input => input with { Table = table });
        Assert.Equal("input_invalid", failed.Code);
        Assert.StartsWith("table:", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Words_of_SQL_are_names_like_others()
    {
        var table = "user";
        var source = folder.Write("words.csv", "select,from,order,default\n1,2,3,4\n");
        await folder.Harness(table).RunAsync(new CsvImportInput { Source = source, Table = table });
        Assert.Equal([["1", "2", "3", "4"]], await postgres.RowsAsync(table));
    }

    [Fact]
    public void A_header_becomes_safe_names_that_are_all_different() => Assert.Equal(
        [
            "order_id", "_id", "a__b", "price", "price_2", "price_3", "price_2_2", "_2024_total", "c9", "c10", "c11", "citt", "xmin_2",
            new string('x', 63), new string('x', 61) + "_2", "c16",
        ],
        ColumnNames.FromHeader([
            "Order ID", "_id", "a__b", "price", "Price", " PRICE ", "price_2", "2024 (total)", "", "名前", "--", "città", "xmin",
            new string('x', 80), new string('x', 70), "c16",
        ]));

    [Fact]
    public async Task Columns_can_be_given_by_name_or_with_a_type()
    {
        folder.Write("given.csv", "A,B,C\n1,x,2024-01-02\n");
        var input = JsonSerializer.Deserialize<CsvImportInput>("""
            {"source": "file:given.csv", "table": "given", "columns": [{"name": "n", "type": "integer"}, "t", {"name": "d", "type": "date"}]}
            """, JobJson.Options)!;
        await folder.Harness("given").RunAsync(input);
        Assert.Equal(["n integer", "t text", "d date"], await postgres.ColumnsAsync("given"));
        Assert.Equal([["1", "x", "2024-01-02"]], await postgres.RowsAsync("given"));
    }

    [Theory]
    [InlineData("""[{"name": "a", "kind": "date"}]""")]
    [InlineData("""[{"type": "date"}]""")]
    [InlineData("[1]")]
    [InlineData("[null]")]
    [InlineData("""[{"name": null}]""")]
    public void Columns_of_another_form_cannot_be_read(string columns) => Assert.Throws<JsonException>(() =>
        JsonSerializer.Deserialize<CsvImportInput>($$"""{"source": "file:x", "table": "t", "columns": {{columns}}}""", JobJson.Options));

    [Fact]
    public void The_schema_of_a_column_is_JSON_and_names_every_type()
    {
        var schema = JsonNode.Parse(ImportColumn.JsonSchema)!;
        Assert.Equal(ColumnType.All.Select(type => type.Name), schema["anyOf"]![1]!["properties"]!["type"]!["enum"]!.AsArray().Select(name => (string)name!));
    }

    [Fact]
    public async Task Columns_that_cannot_be_are_refused_by_name()
    {
        foreach (var (columns, part) in new (ImportColumn[], string)[]
        {
            ([], "there are none"),
            ([new("a"), new("Not safe")], "'Not safe'"),
            ([new("ctid")], "'ctid'"),
            ([new("a"), new("a")], "a is named twice"),
            ([new("a", "money")], "'money' is no type for a"),
        })
        {
            var failed = await folder.FailsAsync("a\n1\n", input => input with { Columns = columns });
            Assert.Equal("input_invalid", failed.Code);
            Assert.StartsWith("columns:", failed.Message, StringComparison.Ordinal);
            Assert.Contains(part, failed.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task More_or_fewer_columns_than_the_header_are_refused_at_once() =>
        Assert.Equal("csv_header", (await folder.FailsAsync("a,b,c\n1,2,3\n", input => input with { Columns = [new("a"), new("b")] })).Code);

    [Fact]
    public async Task More_columns_than_a_table_can_have_are_refused() =>
        Assert.Equal("csv_header", (await folder.FailsAsync(string.Join(',', Enumerable.Range(1, 1601)) + "\n")).Code);

    [Fact]
    public async Task Append_adds_to_what_is_there()
    {
        var (table, input) = Prepared("a,b\n3,4\n");
        var before = $"""
            create schema if not exists imports;
            create table imports.{table} (b text, extra int default 9, a text);
            insert into imports.{table} values ('2', 8, '1')
            """;
        await folder.Harness(table, before: before).InterruptEverywhere(input, async () => await postgres.RowsAsync(table));
        Assert.Equal([["2", "8", "1"], ["4", "9", "3"]], await postgres.RowsAsync(table));
    }

    [Fact]
    public async Task Replace_removes_the_old_rows_once_wherever_it_is_interrupted()
    {
        var (table, input) = Prepared("a\n1\n2\n3\n4\n5\n");
        var before = $"""
            create schema if not exists imports;
            create table imports.{table} (a text);
            insert into imports.{table} select 'old' from generate_series(1, 100)
            """;
        await folder.Harness(table, before: before).InterruptEverywhere(input with { Mode = ImportMode.Replace }, async () => await postgres.RowsAsync(table));
        Assert.Equal([["1"], ["2"], ["3"], ["4"], ["5"]], await postgres.RowsAsync(table));
    }

    [Fact]
    public async Task Old_rows_stay_until_the_first_new_ones_are_there()
    {
        var (table, input) = Prepared("a\n1\nx\n");
        await postgres.ExecuteAsync($"create schema if not exists imports; create table imports.{table} (a integer); insert into imports.{table} values (7)");
        var replacing = input with { Mode = ImportMode.Replace, Columns = [new("a", "integer")] };
        await Assert.ThrowsAsync<JobFailed>(() => folder.Harness(table).RunAsync(replacing));
        Assert.Equal([["7"]], await postgres.RowsAsync(table));
    }

    [Fact]
    public async Task Replace_by_an_empty_file_leaves_an_empty_table()
    {
        var (table, input) = Prepared("");
        await postgres.ExecuteAsync($"create schema if not exists imports; create table imports.{table} (a text not null); insert into imports.{table} values ('old')");
        await folder.Harness(table).RunAsync(input with { Mode = ImportMode.Replace });
        Assert.Empty(await postgres.RowsAsync(table));
    }

    [Theory]
    [InlineData("a text", "it has no column b")]
    [InlineData("a text, b integer", "its column b is integer, not text")]
    [InlineData("a text, b text, c int not null", "the file has nothing for its column c")]
    public async Task A_table_that_does_not_fit_fails_the_job_and_says_how(string columns, string misfit)
    {
        var (table, input) = Prepared("a,b\n1,2\n");
        await postgres.ExecuteAsync($"create schema if not exists imports; create table imports.{table} ({columns})");
        var failed = await Assert.ThrowsAsync<JobFailed>(() => folder.Harness(table).RunAsync(input));
        Assert.Equal("table_misfit", failed.Code);
        Assert.Contains(misfit, failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Imports_that_begin_at_once_create_schema_and_table_once()
    {
        for (var round = 0; round < 5; round++)
        {
            await postgres.ExecuteAsync("drop schema if exists imports cascade");
            var (table, input) = Prepared("a\n1\n2\n3\n");
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => folder.Harness(table).RunAsync(input)));
            Assert.Equal(24, (await postgres.RowsAsync(table)).Length);
        }
    }

    private (string Table, CsvImportInput Input) Prepared(string text)
    {
        var table = ImportFolder.NewTable();
        return (table, new CsvImportInput { Source = folder.Write($"{table}.csv", text), Table = table });
    }
}
