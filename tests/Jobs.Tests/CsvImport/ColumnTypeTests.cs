using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace QueueScale.Jobs.Tests;

/// <summary>Typed values arrive as PostgreSQL itself would have read them.</summary>
public sealed class ColumnTypeTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("text", "x", " y ")]
    [InlineData("integer", "0", "-1", "+7", " 42 ", "2147483647", "-2147483648", "007")]
    [InlineData("bigint", "9223372036854775807", "-9223372036854775808")]
    [InlineData("double precision", "0", "-0", "1.5", "-2.5e-10", "1e308", "NaN", "Infinity", "-Infinity", "0.1", "1.7976931348623157e308", "5e-324")]
    [InlineData("boolean", "t", "TRUE", "yes", "on", "1", "f", "False", "no", "OFF", "0")]
    [InlineData("date", "2000-01-01", "1999-12-31", "0001-01-01", "9999-12-31", "2024-02-29")]
    [InlineData("timestamptz", "2024-01-01", "2024-01-01 10:20", "2024-01-01T10:20:30Z", "2024-06-01 10:20:30.123456+02:00", "2024-01-01 10:20:30+00",
        "1970-01-01T00:00:00.5-11:30", "0001-01-01T00:00:00Z", "2024-01-01 10:20:30")]
    [InlineData("uuid", "0198f7a2-1111-7222-8333-444455556666", "0198F7A2-1111-7222-8333-444455556666", "0198f7a2111172228333444455556666")]
    [InlineData("numeric", "0", "0.00", "-0", "1", "10000", "9999", "99999999", "0.0001", "0.00001", "-12345.6789", "1e10", "1.50e1", "1.5E-7", "+3.", ".5",
        "100000000", "12e-2", "0e5", "1e-20", "123456789012345678901234567890.123456789012345678901234567890")]
    public Task Values_are_read_as_PostgreSQL_reads_them(string type, params string[] values) => MustMatchAsync(type, values);

    [Fact]
    public async Task Any_number_is_read_as_numeric_exactly()
    {
        var digits = Gen.Choose(0, 9).Select(digit => (char)('0' + digit));
        var number = from sign in Gen.Elements("", "-", "+")
                     from whole in digits.ArrayOf().Where(part => part.Length > 0)
                     from fraction in digits.ArrayOf()
                     from exponent in Gen.OneOf(Gen.Constant(""), Gen.Choose(-30, 30).Select(e => $"e{e.ToString(CultureInfo.InvariantCulture)}"))
                     select $"{sign}{new string(whole)}{(fraction.Length > 0 ? "." : "")}{new string(fraction)}{exponent}";

        await MustMatchAsync("numeric", [.. number.Sample(500, 40)]);
    }

    [Fact]
    public async Task An_empty_field_is_NULL_in_every_type()
    {
        var types = ColumnType.All.Select(type => type.Name).ToArray();
        var columns = types.Select((type, i) => new ImportColumn($"c{i}", type)).ToArray();
        var (_, rows) = await folder.ImportAsync($"{new string(',', types.Length - 1)}\n", input => input with { HasHeader = false, Columns = columns });
        Assert.Equal(new string?[types.Length], Assert.Single(rows));
    }

    private async Task MustMatchAsync(string type, string[] values)
    {
        await using var expected = postgres.Database.CreateCommand(
            $"select array(select v::{type}::text from unnest($1::text[]) with ordinality as t(v, n) order by n)");
        expected.Parameters.Add(new() { Value = values });
        var texts = (string[])(await expected.ExecuteScalarAsync())!;

        // A table has no order of its own: a short row may come to lie before a long one.
        var numbered = values.Select((value, n) => (string?[])[$"{n}", value]).ToArray();
        var text = "n,v\n" + string.Concat(numbered.Select(row => $"{row[0]},\"{row[1]}\"\n"));
        var (result, rows) = await folder.ImportAsync(text, input => input with { Columns = [new("n", "bigint"), new("v", type)] });

        Assert.Equal(texts, rows.OrderBy(row => int.Parse(row[0]!, CultureInfo.InvariantCulture)).Select(row => row[1]));
        Assert.Equal(ImportFolder.Checksum(numbered), result.Checksum);
    }
}
