using System.Diagnostics;
using System.Text.Unicode;
using CsvHelper;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Reads a file's rows, from a position on, into batches. A row that does not fit is counted and left out.</summary>
internal sealed class RowReader
{
    private const int MostSamples = 10;
    // Just below a power of two, so that the buffer, which doubles, stays there. Many imports may run in one worker, with two batches each.
    private const int LargestBatch = (4 * 1024 * 1024) - (64 * 1024);

    // What comes slowly is saved as it comes.
    private static readonly TimeSpan LongestRead = TimeSpan.FromSeconds(1);

    private readonly ISource source;
    private readonly CsvRecords records;
    private readonly IReadOnlyList<ImportColumn> columns;
    private readonly ColumnType.Encoder[] encoders;
    private readonly int maxRejected;
    private readonly ImportPosition start;
    private readonly RowChecksum checksum;
    private readonly List<RejectedRow> samples;
    private long imported;
    private long rejected;

    /// <param name="source">The file.</param>
    /// <param name="records">Its records, at the first row to import or behind the last.</param>
    /// <param name="input">What to import.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="start">That row's position.</param>
    public RowReader(ISource source, CsvRecords records, CsvImportInput input, IReadOnlyList<ImportColumn> columns, ImportPosition start)
    {
        this.source = source;
        this.records = records;
        this.columns = columns;
        this.start = start;
        maxRejected = input.MaxRejected;
        encoders = [.. columns.Select(column => ColumnType.Named(column.Type)!.Encode)];
        checksum = new RowChecksum(start.Checksum);
        samples = [.. start.Samples];
        (imported, rejected) = (start.Rows, start.Rejected);
    }

    /// <summary>Reads the next rows into a batch, in place of what it held.</summary>
    /// <param name="batch">Not in use any more.</param>
    /// <param name="most">How many rows, unless the batch is full before.</param>
    /// <param name="stop">Ends the reading.</param>
    /// <exception cref="JobFailed">The file cannot be read on, or too many rows do not fit.</exception>
    public async Task<RowBatch> ReadAsync(RowBatch batch, int most, CancellationToken stop)
    {
        batch.Rows.Clear();
        var began = Stopwatch.GetTimestamp();
        for (var read = 1; records.HasOne && read <= most && batch.Rows.Length < LargestBatch; read++)
        {
            if (Misfit(batch.Rows) is { } reason) Reject(reason);
            else imported++;
            await records.ReadAsync(stop);
            if ((read & 0xf) != 0) continue;
            stop.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(began) > LongestRead) break;
        }

        batch.End = start with { Rows = imported, Rejected = rejected, Samples = [.. samples], Checksum = checksum.ToString() };
        batch.End = records.HasOne
            ? batch.End with { Offset = records.Offset, Line = records.Line }
            : batch.End with { File = start.File with { Length = source.Length }, Offset = source.Length!.Value }; // by its line nothing is told any more
        batch.IsLast = !records.HasOne;
        return batch;
    }

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
        var takesTheRest = records.Raw.Contains((byte)'\n') && records.Offset + records.Raw.Length == source.Length;
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
