namespace QueueScale.Jobs;

/// <summary>Rows of a file that go into one transaction.</summary>
internal sealed class RowBatch(ImportPosition end)
{
    /// <summary>The rows that fit, ready to be sent.</summary>
    public CopyRows Rows { get; } = new();

    /// <summary>Where the file goes on behind them.</summary>
    public ImportPosition End { get; set; } = end;

    /// <summary>Whether it ends there.</summary>
    public bool IsLast { get; set; }
}
