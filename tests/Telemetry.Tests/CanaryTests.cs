using System.Text;

namespace QueueScale.Tests;

/// <summary>What callers send is theirs: whoever reads logs, metrics and traces does not come upon it.</summary>
public sealed class CanaryTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private const string Canary = "canary-7f3e9b";

    public async ValueTask DisposeAsync() => await stage.StopAllAsync();

    [Fact]
    public async Task What_callers_send_is_in_no_log_no_metric_and_no_span()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        (string, string?)[] all = [.. receiver.Settings, ("Logging__LogLevel__Default", "Debug")];
        var api = await stage.StartApiAsync(settings: all);
        var worker = await stage.StartWorkerAsync("listener", settings: [.. all, ("Worker__RetryBaseDelay", "00:00:00.1")]);
        await File.WriteAllTextAsync(Path.Combine(stage.DataRoot, $"{Canary}.csv"), $"name\n{Canary}\n", TestContext.Current.CancellationToken);
        using var http = new HttpClient { BaseAddress = api.Url };
        var answers = new List<int>();
        foreach (var (body, key, once) in new[]
        {
            ("""{"type": "csv.import", "uniqueKey": "CANARY-unique", "tags": ["CANARY-tag"], "input": {"source": "file:CANARY.csv", "table": "t"}}""", Stage.Key, $"{Canary}-once"),
            ("""{"type": "csv.import", "maxAttempts": 1, "input": {"source": "file:CANARY.csv", "table": "n", "columns": [{"name": "n", "type": "integer"}]}}""", Stage.Key, "2"),
            ("""{"type": "csv.import", "maxAttempts": 1, "input": {"source": "file:CANARY-missing.csv", "table": "t"}}""", Stage.Key, "3"),
            ("""{"type": "csv.import", "maxAttempts": 1, "input": {"source": "https://CANARY.invalid/CANARY?token=CANARY", "table": "t"}}""", Stage.Key, "4"),
            ("""{"type": "probe.sleep", "input": {"seconds": "CANARY"}}""", Stage.Key, "5"),
            ("""{"type": "probe.sleep", "input": {"CANARY": 1}}""", Stage.Key, "6"),
            ("""{"type": "probe.sleep", "CANARY": 1}""", Stage.Key, "7"),
            ("""{"type": "CANARY"}""", Stage.Key, "8"),
            ("""{"type": "CANARY""", Stage.Key, "9"),
            ("""{"type": "probe.noop"}""", $"qs_{Canary}", "10"),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "v1/jobs") { Content = new StringContent(body.Replace("CANARY", Canary, StringComparison.Ordinal), Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new("Bearer", key);
            request.Headers.Add("Idempotency-Key", once);
            using var answer = await http.SendAsync(request);
            answers.Add((int)answer.StatusCode);
        }

        Assert.Equal([202, 202, 202, 202, 422, 422, 422, 422, 400, 401], answers);
        Assert.NotEmpty((await stage.Client(api).GetJobsAsync(new JobFilter { Tag = $"{Canary}-tag" })).Items);
        await Waiting.UntilAsync(async () => await stage.ScalarAsync<long>("select count(*) from jobs where state in (5, 6)") == 4);
        var errors = await stage.QueryAsync<string>("select coalesce(error ->> 'message', '') from jobs order by state, id");
        Assert.Equal("", errors[0]); // this one has succeeded
        Assert.All(errors.Skip(1), error => Assert.Contains(Canary, error, StringComparison.Ordinal));

        foreach (var process in (HostProcess[])[api, worker])
        {
            Assert.DoesNotContain(Canary, await http.GetStringAsync(new Uri(process.Url, "metrics")), StringComparison.OrdinalIgnoreCase);
            process.Process.Signal(Signal.Terminate); // so that its log is complete, and all has been sent
            await process.Process.WaitForExitAsync();
            string[] lines = File.ReadAllLines(process.Process.LogPath);
            Assert.NotEmpty(lines);
            Assert.DoesNotContain(lines, line => line.Contains(Canary, StringComparison.OrdinalIgnoreCase));
        }

        Assert.Equal(4, receiver.Spans.Count(span => span.Name == "process bulk"));
        Assert.Contains(receiver.Logs, line => line.Text.Contains("failed its attempt", StringComparison.Ordinal));
        Assert.Contains(("queuescale-worker", "queuescale.job.run"), receiver.Metrics);
        Assert.True(receiver.Holds("csv.import"));
        Assert.False(receiver.Holds(Canary), string.Join(Environment.NewLine, receiver.Spans.Where(span => Texts(span).Any(text => text.Contains(Canary, StringComparison.OrdinalIgnoreCase))).Select(span => $"{span.Source}: {span.Name}: {string.Join("; ", Texts(span))}")));
    }

    private static IEnumerable<string> Texts(Span span) => span.Attributes.Concat(span.Events.SelectMany(happened => happened.Attributes)).Select(attribute => $"{attribute.Key}={attribute.Value}").Append(span.StatusText);
}
