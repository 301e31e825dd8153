using System.Diagnostics;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Imports a CSV file into a table, each row exactly once, also when it is stopped, killed and resumed on the way.</summary>
/// <remarks>
/// Fields are as RFC 4180 has them. An empty field without quotes is NULL and one in quotes is an empty text, as in <c>\copy ... csv</c>; empty lines are
/// no rows. A row does not fit when its number of fields is another, a value is none of its column's type, its quotes are wrong, or it holds NUL characters
/// or invalid UTF-8. A file that changes meanwhile fails the job. So does a quote that is never closed: all behind it would be lost.
/// A job that fails leaves the rows of its saved checkpoints in the table.
/// </remarks>
[JobType("csv.import", Queue = "bulk", MaxAttempts = 5, Timeout = "01:00:00")]
public sealed class CsvImport : IJob<CsvImportInput, CsvImportResult>
{
    private readonly string dataRoot;
    private readonly int? rowsPerCheckpoint;

    public CsvImport(IOptions<JobsOptions> options) : this(options, rowsPerCheckpoint: null) { }

    /// <summary>For tests: so many rows a checkpoint, however long they take.</summary>
    internal CsvImport(IOptions<JobsOptions> options, int? rowsPerCheckpoint) =>
        (dataRoot, this.rowsPerCheckpoint) = (options.Value.DataRoot, rowsPerCheckpoint);

    public async Task<CsvImportResult> RunAsync(CsvImportInput input, JobRun run, CancellationToken stop)
    {
        InputRules.Check(input);
        var file = new SourceFile(input.Source, dataRoot);
        var saved = run.Checkpoint<ImportPosition>();
        if (saved is not null) file.MustStillBe(saved.File);

        var head = CsvHead.Read(file, input);
        var table = new TargetTable(input.Table, head.Columns);
        var at = saved ?? head.Start;
        var size = new BatchSize();
        using var total = new RowTotal(file, input.Delimiter[0], head.Start.Offset, at.Total, stop);
        using var rows = new RowReader(file, input, head.Columns, at);

        // Two batches take turns: while the one is copied, the other is read.
        var (present, other) = (new RowBatch(at), new RowBatch(at));
        var reading = ReadAsync(present);
        try
        {
            for (var isFirst = saved is null; ; isFirst = false)
            {
                present = await reading;
                if (!present.IsLast) reading = ReadAsync(other);
                file.MustStillBe(at.File);

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
            // It reads from what is disposed next. Its error, if it has one, is of no use to a run that ends.
            await reading.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        Task<RowBatch> ReadAsync(RowBatch batch) => Task.Run(() => rows.Read(batch, rowsPerCheckpoint ?? size.Rows, stop), CancellationToken.None);
    }
}
