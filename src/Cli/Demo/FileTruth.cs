using System.Buffers.Binary;
using System.Security.Cryptography;

namespace QueueScale.Cli.Demo;

/// <summary>What a CSV file holds, found out by code that shares nothing with the import: one character after the other.</summary>
/// <param name="Rows">Rows after the header.</param>
/// <param name="Checksum">The sum, over those rows, of the first 60 bits of the MD5 of the row's fields joined by the character 31.</param>
internal sealed record FileTruth(long Rows, UInt128 Checksum)
{
    private const byte Between = 31;

    public static Task<FileTruth> OfAsync(string path) => Task.Run(() => Read(path));

    private static FileTruth Read(string path)
    {
        using var file = new BufferedStream(File.OpenRead(path), 1 << 20);
        var row = new MemoryStream();
        var (rows, sum) = (-1L, UInt128.Zero); // the first row is the header
        var (quoted, wasQuote, empty) = (false, false, true);
        if (file.ReadByte() != 0xEF || file.ReadByte() != 0xBB || file.ReadByte() != 0xBF)
        {
            file.Position = 0; // no byte order mark
        }

        for (int next; (next = file.ReadByte()) >= 0;)
        {
            if (quoted)
            {
                if (wasQuote)
                {
                    wasQuote = false;
                    if (next == '"')
                    {
                        row.WriteByte((byte)'"');
                        continue;
                    }

                    quoted = false; // the quote before was the last of the field
                }
                else
                {
                    wasQuote = next == '"';
                    if (!wasQuote)
                    {
                        row.WriteByte((byte)next);
                    }

                    continue;
                }
            }

            switch (next)
            {
                case '"':
                    (quoted, empty) = (true, false);
                    break;
                case ',':
                    row.WriteByte(Between);
                    empty = false;
                    break;
                case '\r':
                    break;
                case '\n':
                    EndRow();
                    break;
                default:
                    row.WriteByte((byte)next);
                    empty = false;
                    break;
            }
        }

        EndRow();
        return new FileTruth(Math.Max(0, rows), sum);

        void EndRow()
        {
            if (empty)
            {
                return; // an empty line
            }

            if (++rows > 0)
            {
#pragma warning disable CA5351 // The checksum is one that SQL can compute too; it guards against accidents only.
                sum += BinaryPrimitives.ReadUInt64BigEndian(MD5.HashData(row.GetBuffer().AsSpan(0, (int)row.Length))) >> 4;
#pragma warning restore CA5351
            }

            row.SetLength(0);
            empty = true;
        }
    }
}
