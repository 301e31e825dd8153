namespace QueueScale.Client;

/// <summary>A body from which something comes now and then. A connection whose other end is gone says nothing for ever, and no other limit ends that.</summary>
/// <param name="body">Is not disposed.</param>
/// <param name="limit">A silence of this length is a break.</param>
internal sealed class HeardStream(Stream body, TimeSpan limit) : Stream
{
    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Waits for something of an answer.</summary>
    /// <exception cref="IOException">It has not come in time.</exception>
    public static async Task<T> WithinAsync<T>(TimeSpan limit, Func<CancellationToken, Task<T>> hear, CancellationToken cancellation)
    {
        using var given = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        given.CancelAfter(limit);
        try
        {
            return await hear(given.Token);
        }
        catch (OperationCanceledException) when (given.IsCancellationRequested)
        {
            cancellation.ThrowIfCancellationRequested();
            throw new IOException($"For {limit.TotalSeconds} s nothing has come over the connection.");
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(WithinAsync(limit, stop => body.ReadAsync(buffer, stop).AsTask(), cancellationToken));

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
