using System.Text;
using FsCheck;
using FsCheck.Fluent;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>Random tables, written as CSV in random ways, imported with random interruptions, are the same tables afterwards.</summary>
public sealed class RandomTableTests(PostgresForTests postgres) : IClassFixture<PostgresForTests>, IDisposable
{
    private readonly ImportFolder folder = new(postgres);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_table_written_as_CSV_and_imported_is_the_same_table() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(150), Prop.ForAll(Files.ToArbitrary(), MustArriveAsync));

    [Fact]
    public void Any_bytes_end_the_same_with_and_without_interruptions() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(AnyBytes.ToArbitrary(), MustEndTheSameAsync));

    private async Task MustEndTheSameAsync((byte[] Bytes, bool HasHeader, int RowsPerCheckpoint, Interruption[] Interruptions) file)
    {
        var table = ImportFolder.NewTable();
        var input = new CsvImportInput { Source = folder.Write("bytes.csv", file.Bytes), Table = table, HasHeader = file.HasHeader, MaxRejected = 1_000 };
        Assert.Equal(await EndAsync(rowsPerCheckpoint: 1_000, []), await EndAsync(file.RowsPerCheckpoint, file.Interruptions));
        await postgres.ExecuteAsync($"drop table if exists imports.{table}");

        async Task<string> EndAsync(int rowsPerCheckpoint, Interruption[] interruptions)
        {
            await postgres.ExecuteAsync($"drop table if exists imports.{table}");
            try
            {
                var job = await folder.Harness(table, rowsPerCheckpoint).RunAsync(input, interruptions);
                return $"{job.ResultJson}\n{string.Join('\n', Sorted(await postgres.RowsAsync(table)))}";
            }
            catch (Contracts.JobFailed failed)
            {
                return $"{failed.Code}: {failed.Message}";
            }
        }
    }

    private async Task MustArriveAsync(CsvFile file)
    {
        var table = ImportFolder.NewTable();
        var input = new CsvImportInput { Source = folder.Write("random.csv", file.Text), Table = table, HasHeader = file.HasHeader, Delimiter = file.Delimiter };
        if (!file.HasHeader) input = input with { Columns = [.. Enumerable.Range(0, file.Width).Select(i => new ImportColumn($"k{i}"))] };

        var job = await folder.Harness(table, file.RowsPerCheckpoint).RunAsync(input, file.Interruptions);

        Assert.Equal(Sorted(file.Rows), Sorted(await postgres.RowsAsync(table)));
        Assert.Equal((file.Rows.Length, 0L), (job.Result.Rows, job.Result.Rejected));
        Assert.Equal(ImportFolder.Checksum(file.Rows), job.Result.Checksum);
        await postgres.ExecuteAsync($"drop table imports.{table}");
    }

    // Later rows may lie before earlier ones where a killed transaction left room.
    private static string[] Sorted(IEnumerable<string?[]> rows) =>
        [.. rows.Select(row => string.Join('\u001f', row.Select(field => field is null ? "NULL" : $"<{field}>"))).Order(StringComparer.Ordinal)];

    private static Gen<CsvFile> Files =>
        from delimiter in Gen.Elements(",", ";", "\t", "|", "\u0001", " ")
        from newLine in Gen.Elements("\n", "\r\n", "\r")
        from width in Gen.Choose(1, 5)
        from rows in Row(width).ArrayOf()
        from hasHeader in Gen.Elements(true, false)
        from mark in Gen.Elements("", "\uFEFF")
        from quoteAll in Gen.Elements(true, false)
        from endsWithBreak in Gen.Elements(true, false)
        from rowsPerCheckpoint in Gen.Choose(1, 7)
        from places in Gen.Choose(1, 10).ArrayOf()
        from kinds in Gen.Elements(Enum.GetValues<InterruptionKind>()).ArrayOf(10)
        select new CsvFile(rows, width, delimiter, hasHeader, rowsPerCheckpoint,
            [.. places.Distinct().Select(place => new Interruption(place, kinds[place - 1]))],
            Marked(mark, Written(hasHeader ? [.. Enumerable.Range(0, width).Select(i => $"k{i}")] : null, rows, delimiter, newLine, quoteAll, endsWithBreak)));

    // A mark at the beginning of a file is never data, so a first field that begins with one needs another before it.
    private static string Marked(string mark, string text) => text.StartsWith('\uFEFF') ? $"\uFEFF{text}" : mark + text;

    private static Gen<(byte[], bool, int, Interruption[])> AnyBytes =>
        from pieces in Gen.Elements<byte[]>(
            [.. "a"u8], [.. "bc"u8], [.. ","u8], [.. ","u8], [.. "\n"u8], [.. "\n"u8], [.. "\r\n"u8], [.. "\r"u8], [.. "\""u8], [.. "\"\""u8],
            [.. " "u8], [.. "é"u8], [0], [0xff], [0xff, 0xfe], [0xfe, 0xff], [0xef, 0xbb, 0xbf], [0xc3]).ArrayOf()
        from hasHeader in Gen.Elements(true, false)
        from rowsPerCheckpoint in Gen.Choose(1, 3)
        from places in Gen.Choose(1, 8).ArrayOf()
        from kinds in Gen.Elements(Enum.GetValues<InterruptionKind>()).ArrayOf(8)
        let interruptions = places.Distinct().Select(place => new Interruption(place, kinds[place - 1])).ToArray()
        select (pieces.SelectMany(piece => piece).ToArray(), hasHeader, rowsPerCheckpoint, interruptions);

    private static Gen<string?[]> Row(int width) =>
        from fields in Field.ArrayOf(width)
        // A single absent field would be an empty line, which is no row.
        select width == 1 && fields[0] is null ? [""] : fields;

    private static Gen<string?> Field
    {
        get
        {
            var piece = Gen.Elements(
                "a", "B", "7", " ", "\"", "\"\"", ",", ";", "|", "\t", "\u0001", "\n", "\r", "\r\n", "é", "日本", "🚲", "\uFEFF", "\u0085", "\u2028", "'", "\\", "NULL", "x\u007f");
            var text = piece.ArrayOf().Select(string.Concat).Select(text => (string?)text);
            return Gen.Frequency((1, Gen.Constant<string?>(null)), (6, text));
        }
    }

    private static string Written(string[]? header, string?[][] rows, string delimiter, string newLine, bool quoteAll, bool endsWithBreak)
    {
        var lines = (header is null ? rows : [header, .. rows]).Select(row => string.Join(delimiter, row.Select(field => field switch
        {
            null => "",
            "" => "\"\"",
            _ when quoteAll || field.AsSpan().ContainsAny("\"\r\n") || field.Contains(delimiter, StringComparison.Ordinal) =>
                $"\"{field.Replace("\"", "\"\"", StringComparison.Ordinal)}\"",
            _ => field,
        })));
        var text = new StringBuilder().AppendJoin(newLine, lines);
        return endsWithBreak ? text.Append(newLine).ToString() : text.ToString();
    }

    private sealed record CsvFile(string?[][] Rows, int Width, string Delimiter, bool HasHeader, int RowsPerCheckpoint, IReadOnlyList<Interruption> Interruptions, string Text);
}
