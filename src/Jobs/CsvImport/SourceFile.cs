using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>What tells a file from another, and from itself before a change, on every worker that shares the data folder.</summary>
internal sealed record FileIdentity(long Length, DateTime ModifiedAt);

/// <summary>The file of an import, which must stay as it is while the import goes on, also from worker to worker.</summary>
internal sealed class SourceFile
{
    private readonly string source;
    private readonly string path;

    public SourceFile(string source, string dataRoot)
    {
        (this.source, path) = (source, DataRoot.Find(source, dataRoot));
        Identity = Now();
    }

    /// <summary>As it was found.</summary>
    public FileIdentity Identity { get; }

    /// <summary>Fails when the file is not the one that the import began with: offsets into another would import rubbish.</summary>
    public void MustStillBe(FileIdentity begun)
    {
        var now = Now();
        if (now == begun) return;
        throw new JobFailed(
            $"source: {Excerpt.Of(source)} was changed during the import: {begun.Length:N0} bytes of {begun.ModifiedAt:u} became {now.Length:N0} bytes of "
            + $"{now.ModifiedAt:u}. The rows imported so far stay in the table. Once the file is complete, submit a new job with mode replace.",
            "source_changed");
    }

    public Stream OpenAt(long offset)
    {
        // Nothing is opened to read nothing: a pipe has no length either, and opening one waits for a writer.
        if (Identity.Length == 0) return Stream.Null;
        // No buffer of its own: the reader behind it has one.
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
        stream.Position = offset;
        return stream;
    }

    private FileIdentity Now()
    {
        var info = new FileInfo(path);
        return new FileIdentity(info.Exists ? info.Length : 0, info.LastWriteTimeUtc);
    }
}
