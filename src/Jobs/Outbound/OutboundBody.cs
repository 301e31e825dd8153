using System.Net.Http.Headers;

namespace QueueScale.Jobs;

/// <summary>What a host sends: bounded in size and in silence, and never ended before its end.</summary>
internal sealed class OutboundBody(Stream inner, string host, HttpContentHeaders headers, long maxBytes, TimeSpan maxSilence) : Stream
{
    private readonly long? length = headers.ContentLength ?? (headers.ContentRange is { From: { } from, To: { } to } ? to - from + 1 : null);
    private byte[] ahead = [];

    /// <summary>Bytes received.</summary>
    public long Count { get; private set; }

    /// <summary>Whether that is all.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>The first bytes, which will be read again; fewer where there are no more.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> PeekAsync(int bytes, CancellationToken stop)
    {
        var first = new byte[bytes];
        var there = await this.ReadAtLeastAsync(first, bytes, throwOnEndOfStream: false, stop);
        ahead = first[..there];
        return ahead;
    }

    /// <summary>Reads so many bytes and forgets them.</summary>
    public async Task SkipAsync(long bytes, CancellationToken stop)
    {
        var room = new byte[64 * 1024];
        for (var left = bytes; left > 0;)
        {
            var some = await ReadAsync(room.AsMemory(0, (int)Math.Min(left, room.Length)), stop);
            if (some == 0) throw Broken($"{bytes:N0}");
            left -= some;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        if (ahead.Length > 0)
        {
            var some = Math.Min(ahead.Length, buffer.Length);
            ahead.AsMemory(0, some).CopyTo(buffer);
            ahead = ahead[some..];
            return some;
        }

        var got = await NextAsync(buffer, cancellationToken);
        Count += got;
        if (Count > maxBytes) throw TooLarge(host, maxBytes);
        if (got > 0) return got;
        if (length is { } whole && Count != whole) throw Broken($"{whole:N0}");
        HasEnded = true;
        return 0;
    }

    public static OutboundRefused TooLarge(string host, long maxBytes) => new(
        $"What {host} sends is larger than {maxBytes:N0} bytes. Divide it, or raise Jobs:Outbound:MaxBytes on the workers.", "source_too_large");

    private async ValueTask<int> NextAsync(Memory<byte> buffer, CancellationToken stop)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(stop);
        silence.CancelAfter(maxSilence);
        try
        {
            return await inner.ReadAsync(buffer, silence.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new OutboundFailed($"{host} sent nothing for {maxSilence.TotalSeconds:0.###} seconds, after {Count:N0} bytes. It is asked again; if it is always so slow, raise Jobs:Outbound:MaxSilence on the workers.");
        }
        catch (Exception error) when (error is IOException or HttpRequestException)
        {
            throw Broken(length is { } whole ? $"{whole:N0}" : "all", error);
        }
    }

    private OutboundFailed Broken(string whole, Exception? error = null) => new(
        $"{host} broke off after {Count:N0} of {whole} bytes{(error is null ? "" : $" ({error.Message})")}. It is asked again; if it always does, look at that server.", error);

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("It is read asynchronously: a thread would wait for the network.");

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
