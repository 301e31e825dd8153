using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Npgsql;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>Asks every API and every worker once a second how deep the queues are, whatever happens, and the table itself just before and just after.</summary>
internal sealed partial class DepthWatch : IAsyncDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    /// <summary>Who has not answered by then counts as silent.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Ground ground;
    private readonly NpgsqlDataSource table; // of its own: a look that hangs keeps its connection
    private readonly HttpClient http = new() { Timeout = Patience };
    private readonly ConcurrentQueue<DepthSample> samples = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Task loop;

    private DepthWatch(Ground ground)
    {
        this.ground = ground;
        table = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ground.Postgres.ConnectionString(Ground.Database))
        {
            MaxPoolSize = 4,
            Timeout = 2,
            CommandTimeout = 2,
            CancellationTimeout = 100,
        });
        loop = Task.Run(LoopAsync);
    }

    /// <summary>Begins to look.</summary>
    public static DepthWatch Start(Ground ground) => new(ground);

    /// <summary>Looks once more, when no figure of before is shown any longer.</summary>
    /// <returns>All that was seen.</returns>
    public async Task<IReadOnlyList<DepthSample>> EndAsync(TimeSpan goodFor)
    {
        await StopAsync();
        await Task.Delay(goodFor + Tick);
        await LookAsync();
        return [.. samples];
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await table.DisposeAsync();
        http.Dispose();
        stop.Dispose();
    }

    private async Task StopAsync()
    {
        await stop.CancelAsync();
        await loop;
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                await LookAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // enough
        }
    }

    private async Task LookAsync()
    {
        var before = await ReadingAsync(TableAsync);
        var shown = await Task.WhenAll(ground.Apis.Select(ShownByApiAsync).Concat(ground.Workers.Select(ShownByWorkerAsync)));
        var after = await ReadingAsync(TableAsync);
        foreach (var (who, reading, readiness) in shown)
        {
            samples.Enqueue(new DepthSample { Who = who, Before = before, Shown = reading, After = after, Readiness = readiness });
        }
    }

    private static async Task<DepthReading> ReadingAsync(Func<Task<IReadOnlyList<QueueDepth>?>> read)
    {
        var from = DateTime.UtcNow;
        IReadOnlyList<QueueDepth>? queues = null;
        try
        {
            queues = await read().WaitAsync(Patience);
        }
        catch (Exception error) when (error is NpgsqlException or HttpRequestException or IOException or OperationCanceledException or TimeoutException or JsonException)
        {
            // struck as well
        }

        return new DepthReading(from, DateTime.UtcNow, queues);
    }

    private async Task<IReadOnlyList<QueueDepth>?> TableAsync()
    {
        await using var command = table.CreateCommand(QueueDepth.Select);
        command.Parameters.Add(new NpgsqlParameter { Value = Ground.Queues });
        await using var reader = await command.ExecuteReaderAsync();
        var queues = new List<QueueDepth>();
        while (await reader.ReadAsync())
        {
            queues.Add(new QueueDepth(reader.GetString(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.IsDBNull(4) ? null : reader.GetDateTime(4)));
        }

        return queues;
    }

    private async Task<(string Who, DepthReading Shown, ReadinessShown? Readiness)> ShownByWorkerAsync(Member worker)
    {
        ReadinessShown? readiness = null;
        var reading = await ReadingAsync(async () =>
        {
            using var answer = await http.GetAsync(new Uri(worker.Url, "health/ready"));
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            var queues = body.RootElement.GetProperty("queues").EnumerateArray().ToArray();
            readiness = new(
                (int)answer.StatusCode,
                body.RootElement.GetProperty("status").GetString()!,
                body.RootElement.GetProperty("checks").GetProperty("depth").GetProperty("status").GetString() == "ok",
                queues.Length == 0 ? null : queues.Max(queue => queue.GetProperty("drainSeconds").GetDouble()));
            return queues.Length == 0 ? null
                : [.. queues.Select(queue => new QueueDepth(queue.GetProperty("name").GetString()!, queue.GetProperty("ready").GetInt64(), queue.GetProperty("running").GetInt64(), OldestSeconds: queue.GetProperty("oldestSeconds").GetDouble()))];
        });
        return (worker.Name, reading, readiness);
    }

    private async Task<(string Who, DepthReading Shown, ReadinessShown? Readiness)> ShownByApiAsync(Member api) => (api.Name, await ReadingAsync(() => MetricsAsync(api)), null);

    private async Task<IReadOnlyList<QueueDepth>?> MetricsAsync(Member api)
    {
        var series = Depth().Matches(await http.GetStringAsync(new Uri(api.Url, "metrics"))).Where(line => Ground.Queues.Contains(line.Groups["queue"].Value))
            .ToDictionary(line => (Queue: line.Groups["queue"].Value, Kind: line.Groups["kind"].Value), line => double.Parse(line.Groups["figure"].Value, CultureInfo.InvariantCulture));
        return series.Count == 0
            ? null
            : [.. series.Keys.Select(one => one.Queue).Distinct().Select(queue => 
                new QueueDepth(queue, (long)series[(queue, "ready")], (long)series[(queue, "running")], (long)series[(queue, "scheduled")], OldestSeconds: series[(queue, "oldest_seconds")]))];
    }

    [GeneratedRegex("""^queuescale_queue_(?<kind>ready|running|scheduled|oldest_seconds)\{queue="(?<queue>[^"]+)"\} (?<figure>\S+)$""", RegexOptions.Multiline)]
    private static partial Regex Depth();
}
