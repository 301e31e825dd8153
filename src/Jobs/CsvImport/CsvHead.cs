using System.Text;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>The beginning of a file: its columns, and where its rows begin.</summary>
/// <param name="Columns">None where neither the input nor the file names or shows any.</param>
/// <param name="Start">The first row.</param>
internal sealed record CsvHead(IReadOnlyList<ImportColumn> Columns, ImportPosition Start)
{
    private const int MostColumns = 1600; // PostgreSQL's own limit
    private const string Code = "csv_header";

    /// <summary>Reads it, and leaves the records at the first row.</summary>
    /// <param name="source">The file, of which nothing is read yet.</param>
    /// <param name="records">Its records.</param>
    /// <param name="input">What is known of it.</param>
    /// <param name="stop">Ends the reading.</param>
    public static async Task<CsvHead> ReadAsync(ISource source, CsvRecords records, CsvImportInput input, CancellationToken stop)
    {
        RefuseOtherEncodings((await source.PeekAsync(4, stop)).Span);
        if (!await records.ReadAsync(stop)) return Begin(input.Columns ?? [], source.Length!.Value, 1);

        var columns = input.Columns ?? (input.HasHeader ? Named(records, input.Delimiter) : Numbered(records.FieldCount));
        if (columns.Count > MostColumns)
        {
            throw new JobFailed($"source: a row has {columns.Count:N0} fields, and a table at most {MostColumns:N0} columns. Is the delimiter right?", Code);
        }

        if (input.HasHeader)
        {
            MustMatch(columns, records);
            if (!await records.ReadAsync(stop)) return Begin(columns, source.Length!.Value, 2);
        }

        return Begin(columns, records.Offset, records.Line);

        CsvHead Begin(IReadOnlyList<ImportColumn> columns, long offset, long line) =>
            new(columns, new ImportPosition(source.Identity, offset, line, 0, 0, [], RowChecksum.Nothing, null, source.IsAtHand ? null : columns));
    }

    private static IReadOnlyList<ImportColumn> Numbered(int fields) => [.. Enumerable.Range(1, fields).Select(n => new ImportColumn($"c{n}"))];

    private static IReadOnlyList<ImportColumn> Named(CsvRecords header, string delimiter)
    {
        var names = Enumerable.Range(0, header.FieldCount).Select(i => Encoding.UTF8.GetString(header.Field(i))).ToArray();
        if (names is [var only] && only.FirstOrDefault(c => c is ',' or ';' or '|' or '\t') is var other and not '\0')
        {
            throw new JobFailed(
                $"delimiter: with '{Excerpt.Of(delimiter)}' the header is one column, '{Excerpt.Of(only)}'. "
                + $"Is it {(other == '\t' ? "a tab" : $"'{other}'")}? Give the right delimiter, or name the one column in columns.",
                Code);
        }

        return [.. ColumnNames.FromHeader(names).Select(name => new ImportColumn(name))];
    }

    private static void MustMatch(IReadOnlyList<ImportColumn> columns, CsvRecords header)
    {
        if (header.Malformed is not null)
        {
            throw new JobFailed($"source: the quotes in the header are wrong: '{Excerpt.Of(header.Raw)}'. Correct it.", Code);
        }

        if (header.FieldCount != columns.Count)
        {
            throw new JobFailed(
                $"columns: there are {columns.Count:N0}, and the header has {header.FieldCount:N0}: '{Excerpt.Of(header.Raw)}'. "
                + "Name each column of the file, or give the right delimiter.",
                Code);
        }
    }

    private static void RefuseOtherEncodings(ReadOnlySpan<byte> mark)
    {
        var other = mark switch
        {
            [0xff, 0xfe, 0, 0] or [0, 0, 0xfe, 0xff] => "UTF-32",
            [0xff, 0xfe, ..] or [0xfe, 0xff, ..] => "UTF-16",
            _ => null,
        };
        if (other is not null)
        {
            throw new JobFailed($"source: the file is {other}. Save it as UTF-8, for example with: iconv -f {other} -t UTF-8.", "csv_encoding");
        }
    }
}
