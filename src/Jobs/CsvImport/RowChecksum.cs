using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace QueueScale.Jobs;

/// <summary>The checksum of <see cref="CsvImportResult.Checksum"/>, which can be told on from a checkpoint.</summary>
internal sealed class RowChecksum(string soFar)
{
    public const string Nothing = "0";

    private const byte Between = 31;

    private UInt128 sum = UInt128.Parse(soFar, CultureInfo.InvariantCulture);
    private byte[] row = new byte[1024];
    private int length;

    /// <summary>Adds a field to the present row.</summary>
    public void Field(ReadOnlySpan<byte> utf8)
    {
        if (length + utf8.Length + 1 > row.Length) Array.Resize(ref row, Math.Max(2 * row.Length, length + utf8.Length + 1));
        utf8.CopyTo(row.AsSpan(length));
        length += utf8.Length;
        row[length++] = Between;
    }

    /// <summary>Forgets the present row.</summary>
    public void DropRow() => length = 0;

    /// <summary>Adds the present row to the sum.</summary>
    public void EndRow()
    {
        Span<byte> hash = stackalloc byte[MD5.HashSizeInBytes];
#pragma warning disable CA5351 // MD5 is what a user can compute again in SQL; it guards against accidents, not against forgery.
        MD5.HashData(row.AsSpan(0, length - 1), hash);
#pragma warning restore CA5351
        sum += BinaryPrimitives.ReadUInt64BigEndian(hash) >> 4;
        length = 0;
    }

    public override string ToString() => sum.ToString(CultureInfo.InvariantCulture);
}
