using System.Security.Cryptography;

namespace QueueScale.Local;

/// <summary>Passwords and keys made by chance.</summary>
internal static class Secrets
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>32 letters and digits: 190 bits, and nothing that an address or a connection string would have to escape.</summary>
    public static string New() => RandomNumberGenerator.GetString(Alphabet, 32);
}
