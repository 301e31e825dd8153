using System.Text.Json.Serialization;

namespace QueueScale.Jobs;

/// <summary>What an import reads.</summary>
internal interface ISource : IDisposable
{
    /// <summary>As it was found, to be known again by a later run.</summary>
    FileIdentity Identity { get; }

    /// <summary>Its length, or null while that is not known.</summary>
    long? Length { get; }

    /// <summary>Whether it can be opened again, anywhere. Otherwise it is opened once, at 0 or where the run goes on.</summary>
    bool IsAtHand { get; }

    /// <summary>Fails when it is not what the import began with: offsets into another would import rubbish.</summary>
    void MustStillBe(FileIdentity begun);

    /// <summary>Its first bytes.</summary>
    ValueTask<ReadOnlyMemory<byte>> PeekAsync(int bytes, CancellationToken stop);

    /// <summary>Opens it for a reader whose first record will be the one at <paramref name="offset"/>.</summary>
    /// <param name="offset">0, or where a record begins.</param>
    /// <param name="begin">Where the reader begins.</param>
    /// <remarks>The reader takes a byte order mark wherever it begins, and in the middle of a file such bytes are data. So there it begins with the line break
    /// before the record, an empty line to it. What has no line break before it is the first record of the file.</remarks>
    Stream OpenAt(long offset, out long begin);
}

/// <summary>What tells a source from another, and from itself before a change, on every worker.</summary>
/// <param name="Length">In bytes, where that is known.</param>
/// <param name="ModifiedAt">When it was changed last, where that can be relied on.</param>
/// <param name="Tag">What a web server calls it; none for a file of the data folder.</param>
internal sealed record FileIdentity(
    long? Length, DateTime? ModifiedAt, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Tag = null);
