using System.Diagnostics;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Imports a CSV file into a table of its tenant's schema, each row exactly once, also when it is stopped, killed and resumed on the way.</summary>
/// <remarks>
/// Fields are as RFC 4180 has them. An empty field without quotes is NULL and one in quotes is an empty text, as in <c>\copy ... csv</c>; empty lines are
/// no rows. A row does not fit when its number of fields is another, a value is none of its column's type, its quotes are wrong, or it holds NUL characters
/// or invalid UTF-8. A file that changes meanwhile fails the job. One behind https is fetched once; a run that goes on
/// asks for the rest, provided that the server says it is still the same. So does a quote that is never closed: all behind it would be lost.
/// A job that fails leaves the rows of its saved checkpoints in the table.
/// </remarks>
[JobType("csv.import", Queue = "bulk", MaxAttempts = 5, Timeout = "01:00:00")]
public sealed class CsvImport : IJob<CsvImportInput, CsvImportResult>
{
    private readonly string dataRoot;
    private readonly Outbound outbound;
    private readonly int? rowsPerCheckpoint;

    public CsvImport(IOptions<JobsOptions> options, Outbound outbound) : this(options, outbound, rowsPerCheckpoint: null) { }

    /// <summary>For tests: so many rows a checkpoint, however long they take.</summary>
    internal CsvImport(IOptions<JobsOptions> options, Outbound outbound, int? rowsPerCheckpoint) =>
        (dataRoot, this.outbound, this.rowsPerCheckpoint) = (options.Value.DataRoot, outbound, rowsPerCheckpoint);

    public async Task<CsvImportResult> RunAsync(CsvImportInput input, JobRun run, CancellationToken stop)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            return await ImportAsync(input, run, ending);
        }
        catch (OutboundRefused refused)
        {
            throw new JobFailed($"source: {refused.Message}", refused.Code);
        }
    }

    private async Task<CsvImportResult> ImportAsync(CsvImportInput input, JobRun run, CancellationTokenSource ending)
    {
        InputRules.Check(input);
        var stop = ending.Token;
        var tenant = await run.TenantAsync();
        var saved = run.Checkpoint<ImportPosition>();
        using ISource source = input.Source.StartsWith("https:", StringComparison.Ordinal)
            ? await WebFile.OpenAsync(outbound, input.Source, saved, run.Epoch, stop)
            : new SourceFile(input.Source, dataRoot, tenant);
        if (saved is not null) source.MustStillBe(saved.File);

        using var records = new CsvRecords(source, input.Delimiter[0], saved?.Offset ?? 0, saved?.Line ?? 1);
        var head = await HeadAsync(source, records, input, saved, stop);
        var table = new TargetTable(tenant, input.Table, head.Columns);
        var at = saved ?? head.Start;
        var size = new BatchSize();
        using var total = new RowTotal(source, input.Delimiter[0], head.Start.Offset, at.Total, stop);
        var rows = new RowReader(source, records, input, head.Columns, at);

        // Two batches take turns: while the one is copied, the other is read.
        var (present, other) = (new RowBatch(at), new RowBatch(at));
        var reading = ReadAsync(present);
        try
        {
            for (var isFirst = saved is null; ; isFirst = false)
            {
                present = await reading;
                if (!present.IsLast) reading = ReadAsync(other);
                source.MustStillBe(at.File);

                var read = (int)(present.End.Done - at.Done);
                at = present.End with { Total = total.Rows };
                if (isFirst || read > 0)
                {
                    var began = Stopwatch.GetTimestamp();
                    await run.CheckpointAsync(at, async transaction =>
                    {
                        if (isFirst) await table.PrepareAsync(transaction, input.Mode, stop);
                        await table.CopyAsync(transaction, present.Rows, stop);
                    });
                    size.Took(read, Stopwatch.GetElapsedTime(began));
                }

                run.Progress(at.Done, present.IsLast ? at.Done : at.Total);
                if (present.IsLast) return new CsvImportResult(at.Rows, at.Rejected, at.Samples, at.Checksum);
                (present, other) = (other, present);
            }
        }
        finally
        {
            // It reads from what is disposed next, and may wait for a server. Its error, if it has one, is of no use to a run that ends.
            await ending.CancelAsync();
            await reading.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        Task<RowBatch> ReadAsync(RowBatch batch) => Task.Run(() => rows.ReadAsync(batch, rowsPerCheckpoint ?? size.Rows, stop), CancellationToken.None);
    }

    /// <summary>The columns, with the records left at the first row to import.</summary>
    private static async Task<CsvHead> HeadAsync(ISource source, CsvRecords records, CsvImportInput input, ImportPosition? saved, CancellationToken stop)
    {
        if (saved is null) return await CsvHead.ReadAsync(source, records, input, stop);
        if (saved.Offset != saved.File.Length) await records.GoToAsync(saved.Offset, stop);
        if (saved.Columns is { } columns) return new CsvHead(columns, saved);
        using var beginning = new CsvRecords(source, input.Delimiter[0]);
        return await CsvHead.ReadAsync(source, beginning, input, stop);
    }
}
