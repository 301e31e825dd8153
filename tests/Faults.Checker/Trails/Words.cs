namespace QueueScale.Faults.Checker;

internal static class Words
{
    /// <summary>The name as it stands in a sentence.</summary>
    public static string Word<T>(this T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
