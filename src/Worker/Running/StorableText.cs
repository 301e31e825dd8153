namespace QueueScale.Worker;

/// <summary>Text from a handler, made fit for PostgreSQL: bounded, and without the NUL that jsonb cannot hold.</summary>
internal static class StorableText
{
    public static string Of(string text, int most) => (text.Length > most ? text[..most] + "…" : text).Replace('\0', '\uFFFD');
}
