using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http.Features;

namespace QueueScale.Api;

/// <summary>A request's body, read as JSON, strictly.</summary>
/// <param name="Bytes">As it came.</param>
/// <param name="Json">What it says.</param>
/// <param name="Place">What it takes of the memory for all bodies.</param>
internal sealed record JsonBody(ReadOnlyMemory<byte> Bytes, JsonDocument Json, IDisposable Place) : IDisposable
{
    /// <summary>A submission a line.</summary>
    public const string LinesType = "application/x-ndjson";

    /// <summary>The same by its other name.</summary>
    public const string OtherLinesType = "application/jsonl";

    private const int Deepest = 64;
    private const int FirstBuffer = 64 * 1024;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = Deepest, AllowDuplicateProperties = false };

    /// <param name="context">The request.</param>
    /// <param name="limit">The most bytes to read.</param>
    public static Task<JsonBody> ReadAsync(HttpContext context, int limit) =>
        context.Request.HasJsonContentType()
            ? ReadAsync(context, limit, (bytes, place) => new JsonBody(bytes, Parsed(() => JsonDocument.Parse(bytes, Strict), ""), place))
            : throw Unsupported("Send application/json.");

    /// <summary>Reads the elements of an array, or lines of JSON (<c>application/x-ndjson</c>).</summary>
    /// <exception cref="Refusal">Among others 422: it is neither.</exception>
    /// <param name="context">The request.</param>
    /// <param name="limit">The most bytes to read.</param>
    /// <param name="most">Further elements are not looked at.</param>
    public static Task<JsonParts> ReadManyAsync(HttpContext context, int limit, int most)
    {
        var type = context.Request.GetTypedHeaders().ContentType?.MediaType.Value?.ToLowerInvariant();
        return type is LinesType or OtherLinesType ? ReadAsync(context, limit, (bytes, place) => new JsonParts(bytes, Lines(bytes, most), place))
            : context.Request.HasJsonContentType() ? ReadAsync(context, limit, (bytes, place) => new JsonParts(bytes, Parsed(() => Elements(bytes, most), ""), place))
            : throw Unsupported($"Send application/json, or {LinesType} with a submission a line.");
    }

    /// <summary>What a part of a body says.</summary>
    /// <param name="bytes">The part.</param>
    /// <param name="where">Which, for the refusal.</param>
    public static JsonElement Parse(ReadOnlyMemory<byte> bytes, string where) => Parsed(() => JsonElement.Parse(bytes.Span, Strict), where);

    private static List<JsonPart> Lines(ReadOnlyMemory<byte> bytes, int most)
    {
        var parts = new List<JsonPart>();
        for (var (number, rest) = (1, bytes); rest.Length > 0 && parts.Count < most; number++)
        {
            var end = rest.Span.IndexOf((byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (!line.Span.Trim(" \t\r"u8).IsEmpty)
            {
                parts.Add(new JsonPart(line, $" in line {number}"));
            }
        }

        return parts;
    }

    /// <summary>Finds where each element begins and ends; what is in it is read later, one after the other.</summary>
    private static List<JsonPart> Elements(ReadOnlyMemory<byte> bytes, int most)
    {
        var reader = new Utf8JsonReader(bytes.Span, new JsonReaderOptions { MaxDepth = Deepest });
        var parts = new List<JsonPart>();
        reader.Read();
        var isArray = reader.TokenType == JsonTokenType.StartArray;
        if (!isArray)
        {
            reader.Skip();
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray && parts.Count < most)
        {
            var begin = (int)reader.TokenStartIndex;
            reader.Skip();
            parts.Add(new JsonPart(bytes[begin..(int)reader.BytesConsumed], $" in element {parts.Count}"));
        }

        if (parts.Count < most)
        {
            reader.Read(); // nothing may follow
        }

        return isArray ? parts : throw Refusal.Invalid(InvalidFields.Of("", "must be an array of submissions"));
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

    public void Dispose()
    {
        Json.Dispose();
        Place.Dispose();
    }

    private static async Task<T> ReadAsync<T>(HttpContext context, int limit, Func<ReadOnlyMemory<byte>, IDisposable, T> read)
    {
        var place = context.RequestServices.GetRequiredService<BodyRoom>().Begin(context.Tenant());
        try
        {
            return read(await ReadAllAsync(context, limit, place), place);
        }
        catch
        {
            place.Dispose();
            throw;
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAllAsync(HttpContext context, int limit, BodyRoom.Place place)
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

            place.Grow(read);
        }

        RequestTimeout.Lift(context); // what comes now has deadlines of its own, and must be told whether it was done
        return Utf8.IsValid(buffer.WrittenSpan) ? buffer.WrittenMemory : throw Refusal.Unreadable("The body is not UTF-8.");
    }

    private static Refusal Unsupported(string detail) => new(415, "unsupported-media-type", "The content type is not supported.", detail);

    private static Refusal TooLarge(int limit) => Refusal.TooLarge($"The body has more than {limit} bytes.", InvalidFields.Of("", $"has more than {limit} bytes"));
}

/// <summary>The elements of a body that holds several.</summary>
/// <param name="Bytes">The body as it came.</param>
/// <param name="Parts">Its elements, in their order.</param>
/// <param name="Place">What it takes of the memory for all bodies.</param>
internal sealed record JsonParts(ReadOnlyMemory<byte> Bytes, IReadOnlyList<JsonPart> Parts, IDisposable Place) : IDisposable
{
    public void Dispose() => Place.Dispose();
}

/// <summary>An element of a body.</summary>
/// <param name="Bytes">As it came.</param>
/// <param name="Where">Which one it is, for a refusal.</param>
internal readonly record struct JsonPart(ReadOnlyMemory<byte> Bytes, string Where)
{
    /// <summary>What it says: parsed anew each time, so that no more than one element of a batch is in memory at once.</summary>
    /// <exception cref="Refusal">400: it is no JSON.</exception>
    public JsonElement Parse() => JsonBody.Parse(Bytes, Where);
}
