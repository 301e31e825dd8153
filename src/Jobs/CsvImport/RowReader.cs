using System.Text.Unicode;
using CsvHelper;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Reads a file's rows, from a position on, into batches. A row that does not fit is counted and left out.</summary>
internal sealed class RowReader : IDisposable
{
    private const int MostSamples = 10;
    // Just below a power of two, so that the buffer, which doubles, stays there. Many imports may run in one worker, with two batches each.
    private const int LargestBatch = (4 * 1024 * 1024) - (64 * 1024);

    private readonly CsvRecords records;
    private readonly IReadOnlyList<ImportColumn> columns;
    private readonly ColumnType.Encoder[] encoders;
    private readonly int maxRejected;
    private readonly ImportPosition start;
    private readonly RowChecksum checksum;
    private readonly List<RejectedRow> samples;
    private long imported;
    private long rejected;
    private bool more;

    public RowReader(SourceFile file, CsvImportInput input, IReadOnlyList<ImportColumn> columns, ImportPosition start)
    {
        this.columns = columns;
        this.start = start;
        maxRejected = input.MaxRejected;
        encoders = [.. columns.Select(column => ColumnType.Named(column.Type)!.Encode)];
        checksum = new RowChecksum(start.Checksum);
        samples = [.. start.Samples];
        (imported, rejected) = (start.Rows, start.Rejected);
        records = new CsvRecords(file, input.Delimiter[0], start.Offset, start.Line);
        more = start.Offset < start.File.Length && records.Read();
    }

    /// <summary>Reads the next rows into a batch, in place of what it held.</summary>
    /// <param name="batch">Not in use any more.</param>
    /// <param name="most">How many rows, unless the batch is full before.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="JobFailed">The file cannot be read on, or too many rows do not fit.</exception>
    public RowBatch Read(RowBatch batch, int most, CancellationToken stop)
    {
        batch.Rows.Clear();
        for (var read = 0; more && read < most && batch.Rows.Length < LargestBatch; read++)
        {
            if ((read & 0xff) == 0) stop.ThrowIfCancellationRequested();
            if (Misfit(batch.Rows) is { } reason) Reject(reason);
            else imported++;
            more = records.Read();
        }

        // Behind the end of the file nothing is told by its line any more.
        var (offset, line) = more ? (records.Offset, records.Line) : (start.File.Length, start.Line);
        batch.End = start with
        {
            Offset = offset, Line = line, Rows = imported, Rejected = rejected, Samples = [.. samples], Checksum = checksum.ToString(),
        };
        batch.IsLast = !more;
        return batch;
    }

    public void Dispose() => records.Dispose();

    /// <summary>Adds the present record to the rows; where it does not fit, says why and adds nothing.</summary>
    private string? Misfit(CopyRows rows)
    {
        if (records.Malformed is { } wrong) return Misquoted(wrong);
        if (records.FieldCount != columns.Count) return $"it has {records.FieldCount:N0} fields, and the table takes {columns.Count:N0}";
        if (records.Raw.Contains((byte)0)) return "it contains a NUL character, which PostgreSQL cannot store";
        if (!Utf8.IsValid(records.Raw)) return "it is not valid UTF-8";

        rows.BeginRow(columns.Count);
        for (var i = 0; i < encoders.Length; i++)
        {
            var field = records.Field(i);
            checksum.Field(field);
            if (records.IsAbsent(i)) rows.Null();
            else if (!encoders[i](field, rows))
            {
                rows.DropRow();
                checksum.DropRow();
                return $"column {columns[i].Name}: '{Excerpt.Of(field)}' is not a value of type {columns[i].Type}";
            }
        }

        rows.EndRow();
        checksum.EndRow();
        return null;
    }

    private string Misquoted(CsvMalformedReason wrong)
    {
        // Only the first mistake of a record is told. One that takes the rest of the file with it has an open quote too, most likely.
        var takesTheRest = records.Raw.Contains((byte)'\n') && records.Offset + records.Raw.Length == start.File.Length;
        if (wrong == CsvMalformedReason.UnterminatedQuote || takesTheRest)
        {
            throw new JobFailed(
                $"source: a quote in the row that begins on line {records.Line} is never closed: '{Excerpt.Of(records.Raw)}'. All rows behind it would be "
                + "lost, so this fails whatever maxRejected says. Close it and submit again with mode replace.",
                "csv_unclosed_quote");
        }

        return wrong == CsvMalformedReason.StrayQuote ? "a quote stands inside a field that does not begin with one" : "text stands behind a closing quote";
    }

    private void Reject(string reason)
    {
        rejected++;
        if (samples.Count < MostSamples) samples.Add(new RejectedRow(records.Line, reason, Excerpt.Of(records.Raw)));
        if (rejected <= maxRejected) return;
        var first = string.Join("; ", samples.Take(3).Select(row => $"line {row.Line}: {row.Reason}"));
        throw new JobFailed(
            $"{rejected:N0} rows do not fit, and maxRejected allows {maxRejected:N0}. The first: {first}. "
            + "Correct them, or raise maxRejected to leave them out, and submit again with mode replace.",
            "too_many_rejected");
    }
}
