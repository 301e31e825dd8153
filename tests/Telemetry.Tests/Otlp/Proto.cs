using System.Buffers.Binary;
using System.Text;

namespace QueueScale.Tests;

/// <summary>A protobuf message, read by field numbers without its schema. Those of OTLP: github.com/open-telemetry/opentelemetry-proto.</summary>
public sealed class Proto
{
    private readonly List<(int Field, ulong Number, ReadOnlyMemory<byte> Bytes)> fields = [];

    public Proto(ReadOnlyMemory<byte> message)
    {
        for (var rest = message; rest.Length > 0;)
        {
            var key = Varint(ref rest);
            var number = 0UL;
            var bytes = ReadOnlyMemory<byte>.Empty;
            switch (key & 7)
            {
                case 0:
                    number = Varint(ref rest);
                    break;
                case 1:
                    number = BinaryPrimitives.ReadUInt64LittleEndian(Take(ref rest, 8).Span);
                    break;
                case 2:
                    bytes = Take(ref rest, (int)Varint(ref rest));
                    break;
                case 5:
                    number = BinaryPrimitives.ReadUInt32LittleEndian(Take(ref rest, 4).Span);
                    break;
                default:
                    throw new InvalidDataException($"Wire type {key & 7}.");
            }

            fields.Add(((int)(key >> 3), number, bytes));
        }
    }

    public IEnumerable<Proto> All(int field) => fields.Where(f => f.Field == field).Select(f => new Proto(f.Bytes));

    public Proto One(int field) => new(fields.LastOrDefault(f => f.Field == field).Bytes);

    public ulong Number(int field) => fields.LastOrDefault(f => f.Field == field).Number;

    public string Text(int field) => Encoding.UTF8.GetString(fields.LastOrDefault(f => f.Field == field).Bytes.Span);

    public string Hex(int field) => Convert.ToHexStringLower(fields.LastOrDefault(f => f.Field == field).Bytes.Span);

    public bool Has(int field) => fields.Any(f => f.Field == field);

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> rest, int length)
    {
        var taken = rest[..length];
        rest = rest[length..];
        return taken;
    }

    private static ulong Varint(ref ReadOnlyMemory<byte> rest)
    {
        for (var (value, shift) = (0UL, 0); ; shift += 7)
        {
            var next = Take(ref rest, 1).Span[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
