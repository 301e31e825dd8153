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

    [Fact]
    public async Task What_callers_send_is_in_no_log_and_no_metric()
    {
        const string Canary = "canary-7f3e9b";
        (string, string?)[] all = [("Logging__LogLevel__Default", "Debug")];
        var api = await stage.StartApiAsync(settings: all);
        var worker = await stage.StartWorkerAsync("listener", settings: [.. all, ("Worker__RetryBaseDelay", "00:00:00.1")]);
        using var http = new HttpClient { BaseAddress = api.Url };
        var answers = new List<int>();
        foreach (var (body, key, once) in new[]
        {
            ("""{"type": "csv.import", "maxAttempts": 1, "uniqueKey": "CANARY-unique", "tags": ["CANARY-tag"], "input": {"source": "file:CANARY.csv", "table": "t"}}""", Stage.Key, $"{Canary}-once"),
            ("""{"type": "csv.import", "maxAttempts": 1, "input": {"source": "https://CANARY.invalid/?token=CANARY", "table": "t"}}""", Stage.Key, "2"),
            ("""{"type": "probe.sleep", "input": {"seconds": "CANARY"}}""", Stage.Key, "3"),
            ("""{"type": "probe.sleep", "input": {"CANARY": 1}}""", Stage.Key, "4"),
            ("""{"type": "probe.sleep", "CANARY": 1}""", Stage.Key, "5"),
            ("""{"type": "CANARY"}""", Stage.Key, "6"),
            ("""{"type": "CANARY""", Stage.Key, "7"),
            ("""{"type": "probe.noop"}""", $"qs_{Canary}", "8"),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StringContent(body.Replace("CANARY", Canary, StringComparison.Ordinal), System.Text.Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new("Bearer", key);
            request.Headers.Add("Idempotency-Key", once);
            using var answer = await http.SendAsync(request);
            answers.Add((int)answer.StatusCode);
        }

        Assert.Equal([202, 202, 422, 422, 422, 422, 400, 401], answers);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state = 6 and type = 'csv.import'") == 2);
        foreach (var process in (HostProcess[])[api, worker])
        {
            Assert.DoesNotContain(Canary, await http.GetStringAsync(new Uri(process.Url, "metrics")), StringComparison.OrdinalIgnoreCase);
            process.Process.Signal(Signal.Terminate); // so that its log is complete
            await process.Process.WaitForExitAsync();
            string[] lines = File.ReadAllLines(process.Process.LogPath);
            Assert.NotEmpty(lines);
            Assert.DoesNotContain(lines, line => line.Contains(Canary, StringComparison.OrdinalIgnoreCase));
        }
    }

    private static string Text(JsonElement properties, string name) => properties.TryGetProperty(name, out var value) ? value.ToString() : "";
}
