using System.Text.Json;

namespace QueueScale.Tests;

/// <summary>What a worker's log says of a run.</summary>
public sealed class LogTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await stage.StopAllAsync();
    }

    [Fact]
    public async Task Every_line_of_a_run_carries_its_job_type_run_and_worker()
    {
        var client = stage.Client(await stage.StartApiAsync());
        await stage.StartWorkerAsync("talker", settings: [("Logging__LogLevel__QueueScale", "Debug"), ("Worker__RetryBaseDelay", "00:00:00.1")]);
        var job = (await client.SubmitAsync(Programs.Job("probe.fail", new { times = 1 }))).Id;
        Assert.Equal(JobState.Succeeded, (await client.WaitForEndAsync(job)).State);

        JsonElement[] lines = [.. File.ReadLines(stage.LogOf("talker")).Select(line => JsonElement.Parse(line).GetProperty("Properties")).Where(line => Text(line, "JobId") == $"{job}")];
        Assert.Equal(["1", "1", "2", "2"], lines.Select(line => Text(line, "Epoch")).Where(epoch => epoch.Length > 0).Take(2).Concat(lines.Select(line => Text(line, "Epoch")).TakeLast(2)));
        Assert.All(lines, line => Assert.Equal(("probe.fail", "talker"), (Text(line, "JobType"), Text(line, "Worker"))));
        Assert.All(lines, line => Assert.NotEqual("", Text(line, "Epoch")));
        Assert.Contains(lines, line => line.GetProperty("EventId").GetProperty("Id").GetInt32() == 4003);
    }

    private static string Text(JsonElement properties, string name) => properties.TryGetProperty(name, out var value) ? value.ToString() : "";
}
