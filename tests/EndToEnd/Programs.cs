using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>Names and inputs of the test programs.</summary>
internal static class Programs
{
    public const string TestApi = "QueueScale.TestApi";
    public const string TestWorker = "QueueScale.TestWorker";

    public static (string Key, string? Value) Seams(params string[] seams) => ("TEST_API_SEAMS", string.Join(',', seams));

    public static SubmitJob Job(string type, object? input = null) => new() { Type = type, Input = input is null ? null : JsonSerializer.SerializeToElement(input, JobJson.Options) };

    public static SubmitJob Sleep(double seconds, int steps) => Job("probe.sleep", new { seconds, steps });

    /// <summary>The worker of a job's present run.</summary>
    public static async Task<string> WorkerOfAsync(this QueueScaleClient client, Guid job) => (await client.GetRunsAsync(job)).Items[^1].Worker;
}
