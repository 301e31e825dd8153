using System.Globalization;
using System.Text;

namespace QueueScale.Local;

/// <summary>A made-up file of orders to import, the same bytes on every machine: quotes, commas, line breaks within fields and letters beyond ASCII included.</summary>
public static class OrdersFile
{
    private static readonly string[] Customers = ["Ada Lovelace", "Grace Hopper", "Zoë Müller", "Søren Østergård", "李小龙", "O'Brien, Pat", "Иван Петров", "María José"];
    private static readonly string[] Products = ["Lamp", "Chair, oak", "Table \"Large\"", "Desk", "Kettle", "Rug", "Clock", "Shelf"];
    private static readonly string[] Notes = ["", "", "", "gift", "call before\ndelivery", "leave at door", "\"fragile\"", ""];

    /// <summary>Writes the file, unless it is there already.</summary>
    /// <param name="path">Where.</param>
    /// <param name="rows">Rows after the header.</param>
    public static async Task WriteAsync(string path, int rows, CancellationToken cancellation = default)
    {
        if (File.Exists(path))
        {
            return;
        }

        var unfinished = path + ".next";
        await using (var file = new StreamWriter(unfinished, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 20))
        {
            await file.WriteAsync("order_id,placed_at,customer,product,quantity,price,note\n");
            var chance = 0x9E3779B97F4A7C15UL;
            var text = new StringBuilder(256 * 1024);
            for (var row = 1; row <= rows; row++)
            {
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                text.Append(CultureInfo.InvariantCulture, $"{row},{new DateTime(2026, 1, 1).AddSeconds(row * 17L):yyyy-MM-ddTHH:mm:ssZ},");
                Field(text, Customers[chance & 7]).Append(',');
                Field(text, Products[chance >> 3 & 7]).Append(CultureInfo.InvariantCulture, $",{1 + (chance >> 6) % 20},{(chance >> 12) % 100_000 / 100m:0.00},");
                Field(text, Notes[chance >> 32 & 7]).Append('\n');
                if (text.Length > 200_000)
                {
                    await file.WriteAsync(text, cancellation);
                    text.Clear();
                }
            }

            await file.WriteAsync(text, cancellation);
        }

        File.Move(unfinished, path);
    }

    private static StringBuilder Field(StringBuilder text, string value) =>
        value.AsSpan().ContainsAny(",\"\n") ? text.Append('"').Append(value.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"') : text.Append(value);
}
