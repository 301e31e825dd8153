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
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    /// <param name="context">The request.</param>
    /// <param name="limit">The most bytes to read.</param>
    public static async Task<JsonBody> ReadAsync(HttpContext context, int limit)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new Refusal(415, "unsupported-media-type", "The content type is not supported.", "Send application/json.");
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null; // counted here: Kestrel would cut the connection, and the caller would never read why
        }

        if (context.Request.ContentLength > limit)
        {
            throw TooLarge(limit);
        }

        var bytes = await ReadAllAsync(context, limit);
        if (!Utf8.IsValid(bytes))
        {
            throw Refusal.Unreadable("The body is not UTF-8.");
        }

        try
        {
            return new JsonBody(bytes, JsonDocument.Parse(bytes, Strict));
        }
        catch (JsonException error)
        {
            throw Refusal.Unreadable($"The body is no JSON: {error.Message}");
        }
        catch (InvalidOperationException)
        {
            throw Refusal.Unreadable("The body is no JSON: the name of a member holds half of a surrogate pair."); // found when names are compared for duplicates
        }
    }

    public void Dispose() => Json.Dispose();

    private static async Task<byte[]> ReadAllAsync(HttpContext context, int limit)
    {
        var buffer = new ArrayBufferWriter<byte>((int)(context.Request.ContentLength ?? 4096) + 1);
        while (await context.Request.Body.ReadAsync(buffer.GetMemory(), context.RequestAborted) is > 0 and var read)
        {
            buffer.Advance(read);
            if (buffer.WrittenCount > limit)
            {
                throw TooLarge(limit);
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static Refusal TooLarge(int limit) => Refusal.TooLarge($"The body has more than {limit} bytes.", InvalidFields.Of("", $"has more than {limit} bytes"));
}
