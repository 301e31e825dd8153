using System.Security.Cryptography;
using System.Text;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>The header <c>Idempotency-Key</c> of a submission.</summary>
/// <remarks>Source: draft-ietf-httpapi-idempotency-key-header. The draft's quoted form and the bare one that most clients send are the same key.</remarks>
internal static class IdempotencyHeader
{
    public const string Name = "Idempotency-Key";
    public const string Replayed = "Idempotent-Replayed";

    private const int Longest = 255;

    /// <param name="context">The submission.</param>
    /// <param name="body">What was read of it.</param>
    /// <returns>Null where there is no such header.</returns>
    /// <exception cref="Refusal">400: the header holds no key.</exception>
    public static IdempotencyKey? Read(HttpContext context, ReadOnlyMemory<byte> body)
    {
        if (!context.Request.Headers.TryGetValue(Name, out var values))
        {
            return null;
        }

        var key = values is [{ } value] ? Unquoted(value) : "";
        return key.Length is > 0 and <= Longest && key.All(letter => letter is > ' ' and <= '~')
            ? new IdempotencyKey(key, Fingerprint(context.Request.Path, body.Span))
            : throw Refusal.Unreadable($"The header {Name} must be given once, as 1 to {Longest} visible ASCII characters, with or without quotes; a UUID is a good key.");
    }

    private static byte[] Fingerprint(string path, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{path}\n"));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }

    private static string Unquoted(string value) => value is ['"', .. var inner, '"'] ? inner.Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal) : value;
}
