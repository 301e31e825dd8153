using CsvHelper;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>The records of a file from a byte on, one at a time. A record ends at LF, CR LF or CR outside quotes; empty lines are none.</summary>
internal sealed class CsvRecords : IDisposable
{
    /// <summary>The longest record, in bytes. A longer one is a quote that is never closed, most likely.</summary>
    private const int Longest = 16 * 1024 * 1024;

    private readonly CsvReader reader;
    private readonly long begin;
    private readonly long linesBefore;

    /// <summary>Opens the file.</summary>
    /// <param name="source">The file.</param>
    /// <param name="delimiter">Between two fields.</param>
    /// <param name="offset">Where a record begins: 0 or an <see cref="Offset"/> that was read before.</param>
    /// <param name="line">The line of that record.</param>
    public CsvRecords(ISource source, char delimiter, long offset = 0, long line = 1)
    {
        var stream = source.OpenAt(offset, out begin);
        linesBefore = begin == 0 ? 0 : line - 2; // to the reader the line break before the record is line 1, and the record line 2
        reader = CsvReader.Create(stream, Options(delimiter) with { TrackLineNumbers = true, OnMalformedRecord = record => Malformed = record.Reason });
    }

    /// <summary>The byte of the file where the present record begins.</summary>
    public long Offset => begin + reader.ByteOffset;

    /// <summary>The line of the file where it begins.</summary>
    public long Line => linesBefore + reader.LineNumber;

    /// <summary>What is wrong with its quotes; null when nothing is.</summary>
    public CsvMalformedReason? Malformed { get; private set; }

    public int FieldCount => reader.FieldCount;

    public ReadOnlySpan<byte> Raw => reader.RawRecord;

    /// <summary>A field without its quotes.</summary>
    public ReadOnlySpan<byte> Field(int index) => reader.GetSpan(index);

    /// <summary>Whether a field is empty and not in quotes.</summary>
    public bool IsAbsent(int index) => reader.GetRawSpan(index).IsEmpty;

    /// <summary>Whether there is a present record: false before the first one and behind the last one.</summary>
    public bool HasOne { get; private set; }

    /// <summary>Goes to the next record.</summary>
    /// <returns>False at the end of the file.</returns>
    public async ValueTask<bool> ReadAsync(CancellationToken stop)
    {
        Malformed = null;
        try
        {
            return HasOne = await reader.ReadAsync(stop);
        }
        catch (CsvFormatException error)
        {
            throw new JobFailed(
                $"source: the row that begins on line {linesBefore + error.LineNumber} has no end within {Longest / 1024 / 1024} MB. "
                + "Look for a quote there that is never closed.",
                "csv_row_too_long");
        }
    }

    /// <summary>Goes to the record that the file was opened for.</summary>
    /// <exception cref="JobFailed">None begins there.</exception>
    public async Task GoToAsync(long offset, CancellationToken stop)
    {
        if (await ReadAsync(stop) && Offset == offset) return;
        throw new JobFailed(
            $"source: no row begins at byte {offset:N0}, where the import stands, so the file was changed. The rows imported so far stay in the table. "
            + "Once the file is complete, submit a new job with mode replace.",
            "source_changed");
    }

    /// <summary>Counts the records from a byte on, much faster than they are imported.</summary>
    public static long Count(ISource source, char delimiter, long offset, CancellationToken stop)
    {
        if (offset >= source.Length) return 0;
        using var reader = CsvReader.Create(source.OpenAt(offset, out _), Options(delimiter));
        var count = 0L;
        while (reader.Read())
        {
            if ((++count & 0xfff) == 0) stop.ThrowIfCancellationRequested();
        }

        return count;
    }

    public void Dispose() => reader.Dispose();

    private static CsvReaderOptions Options(char delimiter) => new() { HasHeader = false, Separator = delimiter, MaxRecordSize = Longest };
}
