using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;

namespace QueueScale.Jobs;

/// <summary>A type that a column can have, and how a field of the file becomes a value of it.</summary>
/// <param name="Name">As inputs name it.</param>
/// <param name="SqlName">As PostgreSQL's <c>format_type</c> names it.</param>
/// <param name="Encode">Adds the field's value to the row; false, with nothing added, when it is no value of the type. Values are written as PostgreSQL
/// itself writes them (ISO dates, no thousands separators); spaces around them are ignored but in text.</param>
internal sealed record ColumnType(string Name, string SqlName, ColumnType.Encoder Encode)
{
    public delegate bool Encoder(ReadOnlySpan<byte> utf8, CopyRows row);

    private const int LongestTime = 40;
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    private static readonly string[] Times =
    [
        "yyyy-MM-dd",
        .. from gap in (string[])[" ", "'T'"]
           from time in (string[])["HH:mm", "HH:mm:ss", "HH:mm:ss.FFFFFF"]
           from zone in (string[])["K", "zz"]
           select $"yyyy-MM-dd{gap}{time}{zone}",
    ];

    public static IReadOnlyList<ColumnType> All { get; } =
    [
        new("text", "text", Text),
        new("integer", "integer", Integer),
        new("bigint", "bigint", Bigint),
        new("numeric", "numeric", PgNumeric.Encode),
        new("double precision", "double precision", Double),
        new("boolean", "boolean", Boolean),
        new("date", "date", Date),
        new("timestamptz", "timestamp with time zone", Timestamptz),
        new("uuid", "uuid", Uuid),
    ];

    public static ColumnType? Named(string name) => All.FirstOrDefault(type => type.Name == name);

    private static bool Text(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        utf8.CopyTo(row.Field(utf8.Length));
        return true;
    }

    private static bool Integer(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        if (!int.TryParse(utf8.Trim((byte)' '), NumberStyles.AllowLeadingSign, Plain, out var value)) return false;
        BinaryPrimitives.WriteInt32BigEndian(row.Field(sizeof(int)), value);
        return true;
    }

    private static bool Bigint(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        if (!long.TryParse(utf8.Trim((byte)' '), NumberStyles.AllowLeadingSign, Plain, out var value)) return false;
        BinaryPrimitives.WriteInt64BigEndian(row.Field(sizeof(long)), value);
        return true;
    }

    private static bool Double(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        var text = utf8.Trim((byte)' ');
        if (!double.TryParse(text, NumberStyles.Float, Plain, out var value)) return false;
        // 1e999 reads as infinity, which is not what the file says.
        if (double.IsInfinity(value) && !text.ContainsAny("iI"u8)) return false;
        BinaryPrimitives.WriteDoubleBigEndian(row.Field(sizeof(double)), value);
        return true;
    }

    private static bool Boolean(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        bool? value = Ascii(utf8, stackalloc char[LongestTime]) switch
        {
            "t" or "T" or "true" or "True" or "TRUE" or "y" or "Y" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" or "1" => true,
            "f" or "F" or "false" or "False" or "FALSE" or "n" or "N" or "no" or "No" or "NO" or "off" or "Off" or "OFF" or "0" => false,
            _ => null,
        };
        if (value is null) return false;
        row.Field(1)[0] = value.Value ? (byte)1 : (byte)0;
        return true;
    }

    private static bool Date(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        if (!DateOnly.TryParseExact(Ascii(utf8, stackalloc char[LongestTime]), "yyyy-MM-dd", Plain, DateTimeStyles.None, out var value)) return false;
        BinaryPrimitives.WriteInt32BigEndian(row.Field(sizeof(int)), value.DayNumber - new DateOnly(2000, 1, 1).DayNumber);
        return true;
    }

    // Without an offset a time is UTC: what it means must not hang on a server's setting.
    private static bool Timestamptz(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        if (!DateTimeOffset.TryParseExact(Ascii(utf8, stackalloc char[LongestTime]), Times, Plain, DateTimeStyles.AssumeUniversal, out var value)) return false;
        var since2000 = value.UtcTicks - new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).Ticks;
        BinaryPrimitives.WriteInt64BigEndian(row.Field(sizeof(long)), since2000 / TimeSpan.TicksPerMicrosecond);
        return true;
    }

    private static bool Uuid(ReadOnlySpan<byte> utf8, CopyRows row)
    {
        if (!Guid.TryParse(Ascii(utf8, stackalloc char[LongestTime]), out var value)) return false;
        value.TryWriteBytes(row.Field(16), bigEndian: true, out _);
        return true;
    }

    /// <summary>The field without spaces around it; empty, which is no value of these types, when it is too long or not ASCII.</summary>
    private static ReadOnlySpan<char> Ascii(ReadOnlySpan<byte> utf8, Span<char> room)
    {
        var text = utf8.Trim((byte)' ');
        return text.Length <= room.Length && System.Text.Ascii.ToUtf16(text, room, out var written) == OperationStatus.Done ? room[..written] : default;
    }
}
