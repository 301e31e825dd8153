using System.Buffers.Binary;

namespace QueueScale.Jobs;

/// <summary>Rows in PostgreSQL's binary COPY format, gathered in memory: they are sent in one go, and again should the transaction be repeated.</summary>
internal sealed class CopyRows
{
    private static readonly byte[] Header = [.. "PGCOPY\n"u8, 0xff, .. "\r\n\0"u8];

    private byte[] buffer = new byte[64 * 1024];
    private int length;
    private int rowStart;

    public CopyRows() => Clear();

    /// <summary>Bytes so far.</summary>
    public int Length => length;

    /// <summary>Rows so far.</summary>
    public int Count { get; private set; }

    public void Clear()
    {
        (length, Count) = (0, 0);
        Header.CopyTo(Take(Header.Length));
        Take(8).Clear(); // flags, and the length of a header extension that is not there
    }

    public void BeginRow(int fields)
    {
        rowStart = length;
        BinaryPrimitives.WriteInt16BigEndian(Take(sizeof(short)), (short)fields);
    }

    /// <summary>Forgets the row that was begun last.</summary>
    public void DropRow() => length = rowStart;

    public void EndRow() => Count++;

    public void Null() => BinaryPrimitives.WriteInt32BigEndian(Take(sizeof(int)), -1);

    /// <summary>Adds a field of so many bytes, for the caller to fill.</summary>
    public Span<byte> Field(int bytes)
    {
        var field = Take(sizeof(int) + bytes);
        BinaryPrimitives.WriteInt32BigEndian(field, bytes);
        return field[sizeof(int)..];
    }

    /// <summary>All of it, ended as COPY wants it.</summary>
    public ReadOnlyMemory<byte> Finished()
    {
        BinaryPrimitives.WriteInt16BigEndian(Take(sizeof(short)), -1);
        length -= sizeof(short); // so that asking twice gives the same
        return buffer.AsMemory(0, length + sizeof(short));
    }

    private Span<byte> Take(int bytes)
    {
        if (length + bytes > buffer.Length) Array.Resize(ref buffer, Math.Max(2 * buffer.Length, length + bytes));
        length += bytes;
        return buffer.AsSpan(length - bytes, bytes);
    }
}
