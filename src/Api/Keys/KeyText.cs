using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>A key as its bearer has it: <c>qs_</c>, its id, <c>_</c>, its secret and a checksum of all that, so that a mistyped one is known without asking PostgreSQL, and one that
/// was published by mistake can be searched for.</summary>
/// <param name="Id">The public part.</param>
/// <param name="Text">All of it.</param>
internal sealed partial record KeyText(string Id, string Text)
{
    private const int SecretLength = 32; // 190 bits
    private const int ChecksumLength = 6;
    private const string Letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>What is kept of it. The secret is random and long, which is why no slow hash is needed.</summary>
    public byte[] Hash => HashOf(Text);

    public static KeyText New()
    {
        var id = RandomNumberGenerator.GetString("0123456789abcdefghijklmnopqrstuvwxyz", 12);
        var open = $"qs_{id}_{RandomNumberGenerator.GetString(Letters, SecretLength)}";
        return new KeyText(id, open + Checksum(open));
    }

    /// <summary>Reads a key; null where it can be none.</summary>
    public static KeyText? Read(string text) =>
        Form().Match(text) is { Success: true } match && Checksum(text[..^ChecksumLength]) == text[^ChecksumLength..] ? new KeyText(match.Groups[1].Value, text) : null;

    public static byte[] HashOf(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string Checksum(string text) => string.Concat(HashOf(text).Take(ChecksumLength).Select(one => Letters[one % Letters.Length]));

    [GeneratedRegex(@"^qs_([0-9a-z]{12})_[0-9A-Za-z]{38}\z")]
    private static partial Regex Form();
}
