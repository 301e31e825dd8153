namespace QueueScale.Jobs;

/// <summary>Counts a file's rows beside the import, so that watchers see a share of the whole and the first checkpoint does not wait for it.</summary>
internal sealed class RowTotal : IDisposable
{
    private readonly CancellationTokenSource ended;
    private readonly Task<long> counting;

    /// <summary>Begins to count, unless a run before has or the file can be read once only.</summary>
    public RowTotal(ISource source, char delimiter, long firstRow, long? known, CancellationToken stop)
    {
        ended = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var token = ended.Token;
        counting = known is { } rows ? Task.FromResult(rows)
            : source.IsAtHand ? Task.Run(() => CsvRecords.Count(source, delimiter, firstRow, token), CancellationToken.None)
            : Task.FromCanceled<long>(new CancellationToken(canceled: true));
    }

    /// <summary>All rows, imported or not; null until they are counted, and where they cannot be, which the import itself will then say.</summary>
    public long? Rows => counting.IsCompletedSuccessfully ? counting.Result : null;

    public void Dispose()
    {
        ended.Cancel();
        ended.Dispose();
    }
}
