using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>A file below the data folder, the same on every worker, which must stay as it is while the import goes on.</summary>
internal sealed class SourceFile : ISource
{
    private readonly string source;
    private readonly string path;

    public SourceFile(string source, string dataRoot, string tenant)
    {
        (this.source, path) = (source, DataRoot.Find(source, dataRoot, tenant));
        Identity = Now();
    }

    public FileIdentity Identity { get; }

    public long? Length => Identity.Length;

    public bool IsAtHand => true;

    public void MustStillBe(FileIdentity begun)
    {
        var now = Now();
        if (now == begun) return;
        throw new JobFailed(
            $"source: {Excerpt.Of(source)} was changed during the import: {begun.Length:N0} bytes of {begun.ModifiedAt:u} became {now.Length:N0} bytes of "
            + $"{now.ModifiedAt:u}. The rows imported so far stay in the table. Once the file is complete, submit a new job with mode replace.",
            "source_changed");
    }

    public async ValueTask<ReadOnlyMemory<byte>> PeekAsync(int bytes, CancellationToken stop)
    {
        var first = new byte[bytes];
        await using var stream = Open();
        return first.AsMemory(0, await stream.ReadAtLeastAsync(first, bytes, throwOnEndOfStream: false, stop));
    }

    public Stream OpenAt(long offset, out long begin)
    {
        begin = 0;
        var stream = Open();
        if (offset == 0) return stream;
        stream.Position = offset - 1;
        if (stream.ReadByte() is '\n' or '\r') begin = offset - 1;
        stream.Position = begin;
        return stream;
    }

    public void Dispose() { }

    // Nothing is opened to read nothing: a pipe has no length either, and opening one waits for a writer. No buffer of its own: the reader behind it has one.
    private Stream Open() => Length == 0
        ? Stream.Null
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);

    private FileIdentity Now()
    {
        var info = new FileInfo(path);
        return new FileIdentity(info.Exists ? info.Length : 0, info.LastWriteTimeUtc);
    }
}
