using System.Text;

namespace QueueScale.Jobs.Tests;

/// <summary>Rows that do not fit.</summary>
public sealed class RejectedRowTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("3", "it has 1 fields, and the table takes 2")]
    [InlineData("3,4,5", "it has 3 fields, and the table takes 2")]
    [InlineData("3\"x,4", "a quote stands inside a field that does not begin with one")]
    [InlineData("\"3\"x,4", "text stands behind a closing quote")]
    [InlineData("3,x\0y", "it contains a NUL character, which PostgreSQL cannot store")]
    public async Task A_row_that_does_not_fit_is_left_out_counted_and_shown(string row, string reason)
    {
        var (result, rows) = await folder.ImportAsync($"a,b\n1,\"two\nlines\"\n{row}\n5,6\n", input => input with { MaxRejected = 1 });
        Assert.Equal([["1", "two\nlines"], ["5", "6"]], rows);
        Assert.Equal((2L, 1L), (result.Rows, result.Rejected));
        Assert.Equal([new RejectedRow(4, reason, row.Replace('\0', '\ufffd'))], result.Samples);
        Assert.Equal(ImportFolder.Checksum(rows), result.Checksum);
    }

    [Theory]
    [InlineData(new byte[] { 0xff })]
    [InlineData(new byte[] { 0xc3 })]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80 })]
    [InlineData(new byte[] { 0xff, 0xfe, 0x41 })]
    public async Task Invalid_UTF8_is_rejected_also_where_a_run_begins_with_it(byte[] invalid)
    {
        var (result, rows) = await folder.ImportAsync(
            [.. "a,b\n1,2\n3,4\n"u8, .. invalid, .. ",x\n"u8, .. "5,6\n"u8, .. invalid, .. ",y\n"u8], input => input with { MaxRejected = 2 });
        Assert.Equal([["1", "2"], ["3", "4"], ["5", "6"]], rows);
        Assert.Equal([(4L, "it is not valid UTF-8"), (6L, "it is not valid UTF-8")], result.Samples.Select(sample => (sample.Line, sample.Reason)));
        Assert.All(result.Samples, sample => Assert.StartsWith("\ufffd", sample.Text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Only_the_first_ten_are_shown_and_all_are_counted()
    {
        var text = "a,b\n" + string.Concat(Enumerable.Range(1, 30).Select(n => n % 2 == 0 ? $"{n},x\n" : $"{n}\n"));
        var (result, rows) = await folder.ImportAsync(text, input => input with { MaxRejected = 15 });
        Assert.Equal(15, rows.Length);
        Assert.Equal((15L, 15L), (result.Rows, result.Rejected));
        Assert.Equal([2L, 4, 6, 8, 10, 12, 14, 16, 18, 20], result.Samples.Select(sample => sample.Line));
    }

    [Fact]
    public async Task One_more_than_allowed_fails_the_job_and_names_the_first_lines()
    {
        var failed = await folder.FailsAsync("a,b\n1,2\n3\n5,6\n7\n", input => input with { MaxRejected = 1 });
        Assert.Equal("too_many_rejected", failed.Code);
        Assert.StartsWith(
            "2 rows do not fit, and maxRejected allows 1. The first: line 3: it has 1 fields, and the table takes 2; line 5: ", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_are_not_rejected_by_default() => Assert.Equal("too_many_rejected", (await folder.FailsAsync("a,b\n1\n")).Code);

    [Fact]
    public async Task A_sample_shows_a_bounded_part_of_the_row_on_one_line()
    {
        var (result, _) = await folder.ImportAsync($"a,b\n\"{string.Concat(Enumerable.Repeat("🚲\n", 5_000))}\"\n", input => input with { MaxRejected = 1 });
        var text = Assert.Single(result.Samples).Text;
        Assert.InRange(text.Length, 100, 105);
        Assert.DoesNotContain('\n', text);
        Assert.EndsWith("...", text, StringComparison.Ordinal);
        Assert.True(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text, "no half characters");
    }

    [Fact]
    public async Task A_value_that_does_not_fit_takes_its_whole_row_out_and_no_other()
    {
        var (result, rows) = await folder.ImportAsync("a,b,c\n1,2,3\n4,5,x\n6,7,8\n", input => input with
        {
            Columns = [new("a"), new("b", "integer"), new("c", "integer")], MaxRejected = 1,
        });
        Assert.Equal([["1", "2", "3"], ["6", "7", "8"]], rows);
        Assert.Equal(ImportFolder.Checksum(rows), result.Checksum);
    }

    [Theory]
    [InlineData("integer", "x", "2147483648", "1.5", "1,5", "0x1f", "")]
    [InlineData("bigint", "x", "9223372036854775808", "1e3")]
    [InlineData("numeric", "x", "1..2", "1e", ".", "--1", "1e99999", "1 2")]
    [InlineData("double precision", "x", "1e999", "-1e999", "1,5")]
    [InlineData("boolean", "x", "2", "maybe")]
    [InlineData("date", "x", "2024-02-30", "24-01-01", "01/02/2024", "2024-01-01T00:00:00")]
    [InlineData("timestamptz", "x", "2024-01-01 25:00", "2024-01-01T00:00:00 Europe/Berlin", "infinity")]
    [InlineData("uuid", "x", "0198f7a2")]
    public async Task A_value_of_another_type_is_rejected_with_its_column(string type, params string[] values)
    {
        var text = "a,b\n" + string.Concat(values.Select(value => $"k,\"{value}\"\n"));
        var (result, rows) = await folder.ImportAsync(text, input => input with { Columns = [new("a"), new("b", type)], MaxRejected = values.Length });
        Assert.Empty(rows);
        Assert.Equal(values.Select(value => $"column b: '{value}' is not a value of type {type}"), result.Samples.Select(sample => sample.Reason));
        Assert.Equal("0", result.Checksum);
    }
}
