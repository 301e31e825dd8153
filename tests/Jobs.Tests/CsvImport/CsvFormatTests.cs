using System.Text;

namespace QueueScale.Jobs.Tests;

/// <summary>What a file may look like, and what becomes of its fields.</summary>
public sealed class CsvFormatTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("a,b\n1,2\n3,4\n")]
    [InlineData("a,b\r\n1,2\r\n3,4\r\n")]
    [InlineData("a,b\r1,2\r3,4\r")]
    [InlineData("a,b\n1,2\r\n3,4")]
    [InlineData("\uFEFFa,b\n1,2\n3,4\n")]
    [InlineData("\n\na,b\n\n1,2\r\n\r\n3,4\n\n\n")]
    [InlineData("\uFEFF\na,b\n1,2\n3,4\n")]
    [InlineData("\"a\",\"b\"\n\"1\",\"2\"\n\"3\",\"4\"\n")]
    public async Task Line_ends_marks_empty_lines_and_quotes_do_not_change_the_rows(string text)
    {
        var (result, rows) = await folder.ImportAsync(text);
        Assert.Equal([["1", "2"], ["3", "4"]], rows);
        Assert.Equal((2L, 0L), (result.Rows, result.Rejected));
        Assert.Equal(ImportFolder.Checksum(rows), result.Checksum);
    }

    [Theory]
    [InlineData("1,2\n3,4\n")]
    [InlineData("\uFEFF1,2\n3,4\n")]
    [InlineData("\n1,2\n3,4\n")]
    [InlineData("\n\n\n\n1,2\n3,4\n")]
    public async Task Without_a_header_the_first_row_is_data(string text)
    {
        var (result, rows) = await folder.ImportAsync(text, input => input with { HasHeader = false });
        Assert.Equal([["1", "2"], ["3", "4"]], rows);
        Assert.Equal(["c1 text", "c2 text"], await postgres.ColumnsAsync(LastTable()));
        Assert.Equal(2, result.Rows);
    }

    [Theory]
    [InlineData("1\n2\n3\n")]
    [InlineData("a\n1\n2")]
    [InlineData("\uFEFFa\n1\n2")]
    public async Task Files_of_a_few_bytes_have_no_row_twice(string text)
    {
        var hasHeader = text.Contains('a', StringComparison.Ordinal);
        var (result, rows) = await folder.ImportAsync(text, input => input with { HasHeader = hasHeader });
        Assert.Equal(text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(hasHeader ? 1 : 0), rows.Select(row => row[0]));
        Assert.Equal(rows.Length, result.Rows);
    }

    [Fact]
    public async Task An_empty_field_is_NULL_and_one_in_quotes_is_an_empty_text_as_in_psql()
    {
        var (result, rows) = await folder.ImportAsync("a,b,c\n,\"\", \n");
        Assert.Equal([[null, "", " "]], rows);
        Assert.Equal(ImportFolder.Checksum([["", "", " "]]), result.Checksum);
    }

    [Fact]
    public async Task Quotes_hold_delimiters_line_breaks_and_quotes()
    {
        var (_, rows) = await folder.ImportAsync("a,b\n\"1,5\",\"two\r\nlines\nand \"\"more\"\"\"\nx,\"\"\"\"\n");
        Assert.Equal([["1,5", "two\r\nlines\nand \"more\""], ["x", "\""]], rows);
    }

    [Theory]
    [InlineData(";")]
    [InlineData("\t")]
    [InlineData("|")]
    [InlineData("\u0001")]
    [InlineData(" ")]
    [InlineData("x")]
    public async Task Any_ASCII_character_can_be_the_delimiter(string delimiter)
    {
        var (_, rows) = await folder.ImportAsync($"a{delimiter}b\n1,0{delimiter}\"2{delimiter}0\"\n", input => input with { Delimiter = delimiter });
        Assert.Equal([["1,0", $"2{delimiter}0"]], rows);
    }

    [Theory]
    [InlineData("")]
    [InlineData(",,")]
    [InlineData("\"")]
    [InlineData("\n")]
    [InlineData("§")]
    [InlineData("\0")]
    public async Task Other_delimiters_are_refused(string delimiter)
    {
        var failed = await folder.FailsAsync("a,b\n", input => input with { Delimiter = delimiter });
        Assert.Equal("input_invalid", failed.Code);
        Assert.StartsWith("delimiter:", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("id;name;price\n1;x;2\n", "';'")]
    [InlineData("id\tname\n1\tx\n", "a tab")]
    public async Task The_wrong_delimiter_is_noticed_by_the_header(string text, string right)
    {
        var failed = await folder.FailsAsync(text);
        Assert.Equal("csv_header", failed.Code);
        Assert.Contains(right, failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\uFEFF")]
    [InlineData("\n\n")]
    public async Task An_empty_file_has_no_rows_and_makes_no_table(string text)
    {
        var (result, _) = await folder.ImportAsync(text);
        Assert.Equal((0L, 0L, "0"), (result.Rows, result.Rejected, result.Checksum));
        Assert.False(await postgres.ScalarAsync<bool>($"select to_regclass('imports.{LastTable()}') is not null"));
    }

    [Fact]
    public async Task An_empty_file_with_columns_makes_the_table()
    {
        await folder.ImportAsync("", input => input with { Columns = [new("a"), new("b", "date")] });
        Assert.Equal(["a text", "b date"], await postgres.ColumnsAsync(LastTable()));
    }

    [Theory]
    [InlineData("a,b")]
    [InlineData("a,b\r\n")]
    [InlineData("\uFEFFa,b\n\n")]
    public async Task A_header_alone_makes_the_table_and_no_rows(string text)
    {
        var (result, rows) = await folder.ImportAsync(text);
        Assert.Equal(0, result.Rows);
        Assert.Empty(rows);
        Assert.Equal(["a text", "b text"], await postgres.ColumnsAsync(LastTable()));
    }

    [Fact]
    public async Task Characters_beyond_ASCII_arrive_as_they_are()
    {
        string[] fields = ["Ünïcödé", "日本語", "🚲 \u200d 👩‍👩‍👧", "\uFEFFin the middle", "\u0085\u2028"];
        var (_, rows) = await folder.ImportAsync($"a,b,c,d,e\n{string.Join(',', fields)}\n\uFEFFbegins,with,a,mark,x\n");
        Assert.Equal([fields, ["\uFEFFbegins", "with", "a", "mark", "x"]], rows);
    }

    [Fact]
    public async Task A_field_may_be_as_long_as_several_megabytes()
    {
        var long_ = new string('x', 5_000_000) + "\"" + new string('y', 1_000_000);
        var (_, rows) = await folder.ImportAsync($"a,b\n1,2\n3,\"{long_.Replace("\"", "\"\"", StringComparison.Ordinal)}\"\n5,6\n");
        Assert.Equal([["1", "2"], ["3", long_], ["5", "6"]], rows);
    }

    [Fact]
    public async Task A_row_beyond_all_measure_fails_the_job_with_the_line_where_it_begins()
    {
        var failed = await folder.FailsAsync($"a,b\n1,2\n\n3,\"{new string('x', 17 * 1024 * 1024)}\n5,6\n", input => input with { MaxRejected = 100 });
        Assert.Equal("csv_row_too_long", failed.Code);
        Assert.Contains("line 4 ", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a,b\n1,2\n3,\"x\n5,6\n7,8\n")]
    [InlineData("a,b\n1,2\n3,\"x")]
    [InlineData("a,b\n1,2\n3\"y,\"x\n5,6\n7,8")]
    public async Task A_quote_that_is_never_closed_fails_the_job_whatever_may_be_rejected(string text)
    {
        var failed = await folder.FailsAsync(text, input => input with { MaxRejected = 100 });
        Assert.Equal("csv_unclosed_quote", failed.Code);
        Assert.Contains("line 3 ", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("utf-16", "UTF-16")]
    [InlineData("utf-16BE", "UTF-16")]
    [InlineData("utf-32", "UTF-32")]
    [InlineData("utf-32BE", "UTF-32")]
    public async Task Other_encodings_are_refused(string encoding, string named)
    {
        var other = Encoding.GetEncoding(encoding);
        var table = ImportFolder.NewTable();
        var source = folder.Write("other.csv", [.. other.GetPreamble(), .. other.GetBytes("a,b\n1,2\n")]);
        var failed = await Assert.ThrowsAsync<Contracts.JobFailed>(() => folder.Harness(table).RunAsync(new CsvImportInput { Source = source, Table = table }));
        Assert.Equal("csv_encoding", failed.Code);
        Assert.Contains(named, failed.Message, StringComparison.Ordinal);
    }

    private string LastTable() => Path.GetFileNameWithoutExtension(Directory.GetFiles(folder.Root).Single());
}
