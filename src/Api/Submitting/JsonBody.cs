using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace QueueScale.Api;

/// <summary>A request's body, read as JSON, strictly.</summary>
/// <param name="Bytes">As it came.</param>
/// <param name="Json">What it says.</param>
internal sealed record JsonBody(byte[] Bytes, JsonDocument Json) : IDisposable
{
    /// <summary>A submission a line.</summary>
    public const string LinesType = "application/x-ndjson";

    /// <summary>The same by its other name.</summary>
    public const string OtherLinesType = "application/jsonl";

    private const int FirstBuffer = 64 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    /// <param name="context">The request.</param>
    /// <param name="limit">The most bytes to read.</param>
    public static async Task<JsonBody> ReadAsync(HttpContext context, int limit)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw Unsupported("Send application/json.");
        }

        var bytes = await ReadAllAsync(context, limit);
        return new JsonBody(bytes, Parsed(() => JsonDocument.Parse(bytes, Strict), ""));
    }

    /// <summary>Reads the elements of an array, or of lines of JSON (<c>application/x-ndjson</c>).</summary>
    /// <exception cref="Refusal">Among others 422: it is neither.</exception>
    /// <param name="context">The request.</param>
    /// <param name="limit">The most bytes to read.</param>
    /// <param name="most">Further lines are not looked at.</param>
    public static async Task<(byte[] Bytes, IReadOnlyList<JsonElement> Elements)> ReadManyAsync(HttpContext context, int limit, int most)
    {
        var type = context.Request.GetTypedHeaders().ContentType?.MediaType.Value?.ToLowerInvariant();
        if (type is LinesType or OtherLinesType)
        {
            var lines = await ReadAllAsync(context, limit);
            return (lines, Lines(lines, most));
        }

        if (!context.Request.HasJsonContentType())
        {
            throw Unsupported($"Send application/json, or {LinesType} with a submission a line.");
        }

        var bytes = await ReadAllAsync(context, limit);
        var root = Parsed(() => JsonElement.Parse(bytes, Strict), "");
        return (bytes, root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray()] : throw Refusal.Invalid(InvalidFields.Of("", "must be an array of submissions")));
    }

    private static List<JsonElement> Lines(ReadOnlyMemory<byte> bytes, int most)
    {
        var elements = new List<JsonElement>();
        for (var (number, rest) = (1, bytes); rest.Length > 0 && elements.Count < most; number++)
        {
            var end = rest.Span.IndexOf((byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (!line.Span.Trim(" \t\r"u8).IsEmpty)
            {
                elements.Add(Parsed(() => JsonElement.Parse(line.Span, Strict), $" in line {number}"));
            }
        }

        return elements;
    }

    private static T Parsed<T>(Func<T> parse, string where)
    {
        try
        {
            return parse();
        }
        catch (JsonException error)
        {
            throw Refusal.Unreadable($"The body is no JSON{where}: {error.Message}");
        }
        catch (InvalidOperationException)
        {
            throw Refusal.Unreadable($"The body is no JSON{where}: the name of a member holds half of a surrogate pair."); // found when names are compared for duplicates
        }
    }

    /// <summary>A member that is present and not null.</summary>
    public static JsonElement? Find(JsonElement body, string member) => body.TryGetProperty(member, out var given) && given.ValueKind != JsonValueKind.Null ? given : null;

    public void Dispose() => Json.Dispose();

    private static async Task<byte[]> ReadAllAsync(HttpContext context, int limit)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null; // counted here: Kestrel would cut the connection, and the caller would never read why
        }

        if (context.Request.ContentLength > limit)
        {
            throw TooLarge(limit);
        }

        var buffer = new ArrayBufferWriter<byte>((int)Math.Min(context.Request.ContentLength ?? FirstBuffer, FirstBuffer) + 1); // more only for what has really come
        while (await context.Request.Body.ReadAsync(buffer.GetMemory(), context.RequestAborted) is > 0 and var read)
        {
            buffer.Advance(read);
            if (buffer.WrittenCount > limit)
            {
                throw TooLarge(limit);
            }
        }

        RequestTimeout.Lift(context); // what comes now has deadlines of its own, and must be told whether it was done
        return Utf8.IsValid(buffer.WrittenSpan) ? buffer.WrittenSpan.ToArray() : throw Refusal.Unreadable("The body is not UTF-8.");
    }

    private static Refusal Unsupported(string detail) => new(415, "unsupported-media-type", "The content type is not supported.", detail);

    private static Refusal TooLarge(int limit) => Refusal.TooLarge($"The body has more than {limit} bytes.", InvalidFields.Of("", $"has more than {limit} bytes"));
}
