using System.Text.Json.Nodes;

namespace QueueScale.Testing;

/// <summary>How a job ended: its result and what it left behind.</summary>
internal sealed record Outcome(JsonNode? Result, JsonNode? Effects)
{
    private const int Shown = 1_000;
    private const int Before = 200;

    public void MustEqual(Outcome other, string interruption)
    {
        MustEqual(Result, other.Result, $"{interruption}, the job ended with another result than undisturbed.");
        MustEqual(Effects, other.Effects, $"{interruption}, the job left other effects behind than undisturbed.");
    }

    private static void MustEqual(JsonNode? expected, JsonNode? actual, string what)
    {
        if (JsonNode.DeepEquals(expected, actual)) return;
        var (calm, disturbed) = (Text(expected), Text(actual));
        var from = Math.Max(0, calm.AsSpan().CommonPrefixLength(disturbed) - Before);
        throw new JobHarnessException($"""
            {what}
              undisturbed: {Part(calm, from)}
              interrupted: {Part(disturbed, from)}
            A run goes on with nothing but its last checkpoint: keep in it all that later steps and the result need.
            What must happen exactly once goes into a transactional checkpoint.
            """);
    }

    private static string Text(JsonNode? node) => node?.ToJsonString() ?? "null";

    private static string Part(string json, int from)
    {
        var part = json.AsSpan(from, Math.Min(Shown, json.Length - from));
        return $"{(from > 0 ? "..." : "")}{part}{(from + part.Length < json.Length ? "..." : "")}";
    }
}
