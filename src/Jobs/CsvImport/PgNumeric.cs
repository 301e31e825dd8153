using System.Buffers.Binary;
using System.Globalization;

namespace QueueScale.Jobs;

/// <summary>PostgreSQL's binary form of <c>numeric</c>: digits in base 10,000, exact for any length, which .NET's decimal is not.</summary>
internal static class PgNumeric
{
    // PostgreSQL takes 131,072 digits before the point and 16,383 behind it; short limits keep a row of them small, and nobody's prices come near.
    private const int Most = 1_000;
    private const int Group = 4;
    private const short Negative = 0x4000;

    public static bool Encode(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        var text = utf8.Trim((byte)' ');
        var negative = text.StartsWith("-"u8);
        if (negative || text.StartsWith("+"u8)) text = text[1..];

        Span<byte> room = stackalloc byte[(3 * Most) + (4 * Group)];
        room.Clear();
        // The digits stand in the middle, with room for an exponent's zeros on both sides.
        var begin = Most + (2 * Group);
        if (!TryReadDigits(text, room[begin..], out var length, out var point)) return false;

        // From here `begin`, `end` and `point` are places in the room; what lies around the digits is zero already.
        var end = begin + Math.Max(length, point);
        point += begin;
        begin = Math.Min(begin, point);
        var scale = end - point;
        begin = point - RoundedUp(point - begin);
        end = point + RoundedUp(scale);
        var groups = (end - begin) / Group;

        // PostgreSQL itself drops groups of zeros at both ends, and the sign of a zero.
        var field = row.Field(sizeof(short) * (4 + groups));
        BinaryPrimitives.WriteInt16BigEndian(field, (short)groups);
        BinaryPrimitives.WriteInt16BigEndian(field[2..], (short)(((point - begin) / Group) - 1));
        BinaryPrimitives.WriteInt16BigEndian(field[4..], negative ? Negative : (short)0);
        BinaryPrimitives.WriteInt16BigEndian(field[6..], (short)scale);
        for (var group = 0; group < groups; group++) BinaryPrimitives.WriteInt16BigEndian(field[(8 + (2 * group))..], Value(room[(begin + (Group * group))..]));
        return true;
    }

    /// <summary>Reads <c>12.5e3</c>: the digits 1, 2, 5 and the point behind the fifth place.</summary>
    private static bool TryReadDigits(ReadOnlySpan<byte> text, Span<byte> digits, out int length, out int point)
    {
        (length, point) = (0, -1);
        var i = 0;
        for (; i < text.Length; i++)
        {
            if (text[i] == (byte)'.' && point < 0) point = length;
            else if (!char.IsAsciiDigit((char)text[i])) break;
            else if (length == Most) return false;
            else digits[length++] = (byte)(text[i] - (byte)'0');
        }

        if (length == 0) return false;
        if (point < 0) point = length;
        if (i == text.Length) return true;
        if ((text[i] | 0x20) != 'e') return false;
        if (!int.TryParse(text[(i + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)) return false;
        if (Math.Abs((long)exponent) > Most - length) return false;
        point += exponent;
        return true;
    }

    private static int RoundedUp(int digits) => (digits + Group - 1) / Group * Group;

    private static short Value(ReadOnlySpan<byte> group) => (short)((((((group[0] * 10) + group[1]) * 10) + group[2]) * 10) + group[3]);
}
