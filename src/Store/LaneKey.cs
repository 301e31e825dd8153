namespace QueueScale.Store;

/// <summary>A lane as one text, as workers report it.</summary>
internal static class LaneKey
{
    public static string Of(string queue, short lane) => $"{queue}/{lane}";
}
