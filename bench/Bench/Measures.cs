using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using QueueScale.Client;
using QueueScale.Contracts;
using QueueScale.Local;

namespace QueueScale.Bench;

/// <summary>One measurement.</summary>
internal sealed record Measure(string Name, string What, Func<Ground, Task<IReadOnlyList<Figure>>> RunAsync);

/// <summary>All measurements, in the order in which they run.</summary>
internal static class Measures
{
    private const int Connections = 64;
    private static readonly SubmitJob Noop = new() { Type = "probe.noop" };

    public static IReadOnlyList<Measure> All { get; } =
    [
        new("start", "process start to ready, servers up, 10 of each", StartAsync),
        new("submit", "POST /v1/jobs over 64 keep-alive connections to a durable 202, in turn with a bare Kestrel JSON echo", SubmitAsync),
        new("drain", "50,000 probe.noop by one worker with the default slots", DrainAsync),
        new("telemetry", "throughput with metrics, traces and logs exported and /metrics scraped every second, in pairs with an equal process that does neither", TelemetryAsync),
        new("latency", "submit to start at 100 jobs/s for 30 s", LatencyAsync),
        new("read", "GET /v1/jobs/ID over 64 keep-alive connections, in turn by an API without Redis and by one with it: one job, then 30,000 of which none is read again within two seconds", Reads.MeasureAsync),
        new("import", "csv.import of 1,000,000 orders against psql \\copy of the same file, 3 of each in turn", ImportAsync),
        new("handover", "the next run's start minus the signal, seen from outside, 20 of each; a checkpoint every 100 ms", HandoverAsync),
    ];

    private static async Task<IReadOnlyList<Figure>> StartAsync(Ground ground)
    {
        var (api, worker) = (new List<double>(), new List<double>());
        for (var round = 0; round < 10; round++)
        {
            await ground.ResetAsync();
            var begun = Stopwatch.GetTimestamp();
            await ground.StartApiAsync();
            api.Add(Stopwatch.GetElapsedTime(begun).TotalSeconds);
            begun = Stopwatch.GetTimestamp();
            await ground.StartWorkerAsync();
            worker.Add(Stopwatch.GetElapsedTime(begun).TotalSeconds);
        }

        return [Line("API ready", api), Line("worker ready", worker)];

        static Figure Line(string name, List<double> seconds) =>
            new(name, $"median {Median(seconds):0.00} s, max {seconds.Max():0.00} s", "under 1.5 s", seconds.Max() < 1.5);
    }

    private static async Task<IReadOnlyList<Figure>> SubmitAsync(Ground ground)
    {
        await ground.ResetAsync();
        var api = await ground.StartApiAsync();
        var echo = await ground.StartEchoAsync();
        await RegisterTypesAsync(ground);
        var window = TimeSpan.FromSeconds(5);
        await RunAsync(api, TimeSpan.FromSeconds(8)); // warm: compiled and measured after that
        await RunAsync(echo, TimeSpan.FromSeconds(3));
        var (jobs, bare) = (new List<LoadResult>(), new List<LoadResult>());
        for (var round = 0; round < 5; round++)
        {
            bare.Add(await RunAsync(echo, window));
            jobs.Add(await RunAsync(api, window));
        }

        var ratios = jobs.Zip(bare, (j, b) => j.PerSecond / b.PerSecond).ToList();
        var p99 = Median(jobs.Select(j => j.P99));
        return
        [
            new("bare echo", $"median {Median(bare.Select(b => b.PerSecond)):0}/s, p99 {Median(bare.Select(b => b.P99)):0.0} ms"),
            new("submit", $"median {Median(jobs.Select(j => j.PerSecond)):0}/s, p50 {Median(jobs.Select(j => j.P50)):0.0} ms", "about 5,000/s", Median(jobs.Select(j => j.PerSecond)) >= 5000),
            new("submit / bare echo", $"median {Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00})", "at least 0.18", Median(ratios) >= 0.18),
            new("submit p99", $"median {p99:0.0} ms", "under 40 ms", p99 < 40),
            new("submissions refused", $"{jobs.Sum(j => j.Refused)}", "0", jobs.Sum(j => j.Refused) == 0),
        ];

        Task<LoadResult> RunAsync(HostProcess target, TimeSpan duration) =>
            Load.RunAsync(target.Url, "/v1/jobs", """{"type":"probe.noop"}""", Ground.Key, Connections, duration);
    }

    private static async Task<IReadOnlyList<Figure>> DrainAsync(Ground ground)
    {
        await ground.ResetAsync();
        var api = await ground.StartApiAsync();
        var worker = await ground.StartWorkerAsync();
        using var client = Ground.Client(api);
        var rates = new List<double>();
        for (var round = 0; round < 6; round++) // the first is the warm-up
        {
            var rate = await DrainOnceAsync(ground, client, worker, Noop, 50_000);
            if (round > 0)
            {
                rates.Add(rate);
            }
        }

        return [new("drain", $"median {Median(rates):0} jobs/s ({rates.Min():0} to {rates.Max():0})", "12,000 jobs/s", Median(rates) >= 12_000)];
    }

    /// <returns>Jobs a second.</returns>
    private static async Task<double> DrainOnceAsync(Ground ground, QueueScaleClient client, HostProcess worker, SubmitJob job, int jobs)
    {
        worker.Process.Signal(Signal.Stop); // for less than its lease: it keeps its place and what it has compiled
        var since = await ground.ScalarAsync<DateTime>("select clock_timestamp()");
        for (var batch = 0; batch < jobs / 10_000; batch++)
        {
            await client.SubmitBatchAsync([.. Enumerable.Repeat(job, 10_000)]);
        }

        worker.Process.Signal(Signal.Continue);
        await ground.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromSeconds(60));
        return jobs / await ground.ScalarAsync<double>(
            $"select extract(epoch from max(finished_at) - min(started_at))::float8 from jobs where created_at >= '{since.ToString("O", CultureInfo.InvariantCulture)}'");
    }

    private static async Task<IReadOnlyList<Figure>> TelemetryAsync(Ground ground)
    {
        await ground.ResetAsync();
        var sink = await ground.StartEchoAsync();
        KeyValuePair<string, string?>[] export = [new("OTEL_EXPORTER_OTLP_ENDPOINT", sink.Url.AbsoluteUri), new("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];
        KeyValuePair<string, string?>[] sampled = [.. export, new("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), new("OTEL_TRACES_SAMPLER_ARG", "0.01")];
        var figures = new List<Figure>();
        foreach (var (name, settings, wanted) in new[] { ("one trace in a hundred", sampled, (double?)0.95), ("every trace", export, null) })
        {
            var (apiOff, apiOn) = (await ground.StartApiAsync(), await ground.StartApiAsync(settings));
            var (workerOff, workerOn) = (await ground.StartWorkerAsync(Queue("off")), await ground.StartWorkerAsync([.. settings, Queue("on")]));
            using var client = Ground.Client(apiOff);
            figures.Add(await PairedAsync($"submit, {name}", wanted, Window(apiOff, on: false), Window(apiOn, on: true)));
            await ground.ForgetJobsAsync();
            figures.Add(await PairedAsync($"drain, {name}", wanted, Drain(workerOff, "off"), Drain(workerOn, "on")));
            await ground.StopHostsAsync(except: sink);

            Func<Task<double>> Window(HostProcess api, bool on) => async () =>
            {
                await using var scraping = on ? new Scraping(api.Url) : null;
                return (await Load.RunAsync(api.Url, "/v1/jobs", """{"type":"probe.noop","queue":"nobody"}""", Ground.Key, Connections, TimeSpan.FromSeconds(5))).PerSecond;
            };

            Func<Task<double>> Drain(HostProcess worker, string queue) => async () =>
            {
                await using var scraping = queue == "on" ? new Scraping(worker.Url) : null;
                return await DrainOnceAsync(ground, client, worker, Noop with { Queue = queue }, 50_000);
            };
        }

        return figures;

        static KeyValuePair<string, string?> Queue(string name) => new("Worker__Queues__0", name);
    }

    /// <summary>Seven pairs of windows, the one first and the other first in turn, after one that is not counted.</summary>
    private static async Task<Figure> PairedAsync(string name, double? wanted, Func<Task<double>> off, Func<Task<double>> on)
    {
        await off();
        await on();
        var ratios = new List<double>();
        for (var pair = 0; pair < 7; pair++)
        {
            var (first, second) = pair % 2 == 0 ? (off, on) : (on, off);
            var (one, other) = (await first(), await second());
            ratios.Add(pair % 2 == 0 ? other / one : one / other);
        }

        var median = Median(ratios);
        return new($"{name}: telemetry on / off", $"median {median:0.000} ({ratios.Min():0.00} to {ratios.Max():0.00})", wanted is null ? "" : $"at least {wanted:0.00}", wanted is null ? null : median >= wanted);
    }

    private static async Task<IReadOnlyList<Figure>> LatencyAsync(Ground ground)
    {
        await ground.ResetAsync();
        var api = await ground.StartApiAsync();
        await ground.StartWorkerAsync();
        using var client = Ground.Client(api);
        await PaceAsync(5); // warm
        var sent = await PaceAsync(30);
        await ground.UntilAsync("select count(*) = 0 from jobs where state < 5", TimeSpan.FromSeconds(30));
        var waits = new List<double>();
        await using (var command = ground.Sql.CreateCommand("select id, started_at from jobs"))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                if (sent.TryGetValue(reader.GetGuid(0), out var at))
                {
                    waits.Add((reader.GetDateTime(1) - at).TotalMilliseconds);
                }
            }
        }

        var sorted = waits.Order().ToArray();
        return [new("submit to start", $"p50 {Load.At(sorted, 0.5):0.0} ms, p99 {Load.At(sorted, 0.99):0.0} ms, max {sorted[^1]:0.0} ms of {sorted.Length}", "p50 under 6 ms, p99 under 25 ms", Load.At(sorted, 0.5) < 6 && Load.At(sorted, 0.99) < 25)];

        // From the moment before the request is sent, by the machine's clock, which is also the database's.
        async Task<Dictionary<Guid, DateTime>> PaceAsync(int seconds)
        {
            var begun = Stopwatch.GetTimestamp();
            var requests = new List<Task<(Guid, DateTime)>>();
            for (var i = 0; i < seconds * 100; i++)
            {
                while (Stopwatch.GetElapsedTime(begun).TotalMilliseconds < i * 10)
                {
                    await Task.Delay(1);
                }

                requests.Add(OneAsync());
            }

            return (await Task.WhenAll(requests)).ToDictionary(r => r.Item1, r => r.Item2);
        }

        async Task<(Guid, DateTime)> OneAsync()
        {
            var at = DateTime.UtcNow;
            return ((await client.SubmitAsync(Noop)).Id, at);
        }
    }

    private static async Task<IReadOnlyList<Figure>> ImportAsync(Ground ground)
    {
        const int rows = 1_000_000;
        await ground.ResetAsync();
        var file = Path.Combine(ground.DataRoot, "orders.csv");
        await OrdersFile.WriteAsync(file, rows);
        var api = await ground.StartApiAsync();
        var worker = await ground.StartWorkerAsync();
        using var client = Ground.Client(api);
        var (copies, imports) = (new List<double>(), new List<double>());
        for (var round = 0; round < 4; round++) // the first is a new worker's first job
        {
            await using (var command = ground.Sql.CreateCommand("create schema if not exists imports; drop table if exists imports.copied; create table imports.copied (order_id text, placed_at text, customer text, product text, quantity text, price text, note text)"))
            {
                await command.ExecuteNonQueryAsync();
            }

            var begun = Stopwatch.GetTimestamp();
            await ground.Servers.Postgres.SqlAsync($"\\copy imports.copied from '{file}' csv header", PostgresServer.DefaultDatabase);
            var copy = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            begun = Stopwatch.GetTimestamp();
            var job = await client.SubmitAsync(new SubmitJob { Type = "csv.import", Input = JsonSerializer.SerializeToElement(new { source = "file:orders.csv", table = $"orders_{round}" }) });
            while (!(job = await client.GetJobAsync(job.Id)).State.IsFinal())
            {
                await Task.Delay(20);
            }

            var import = Stopwatch.GetElapsedTime(begun).TotalSeconds;
            if (job.State != JobState.Succeeded || await ground.ScalarAsync<long>($"select count(*) from imports.orders_{round}") != rows)
            {
                throw new InvalidOperationException($"The import is {job.State}: {job.Error?.Message}");
            }

            copies.Add(copy);
            imports.Add(import);
        }

        var (firstImport, firstCopy) = (imports[0], copies[0]);
        imports.RemoveAt(0);
        copies.RemoveAt(0);
        var ratios = imports.Zip(copies, (i, c) => i / c).ToList();
        var resident = PeakMegabytes(worker.Process.Pid);
        return
        [
            new("psql \\copy", $"median {Median(copies):0.00} s"),
            new("csv.import", $"median {Median(imports):0.00} s, {rows / Median(imports):0} rows/s"),
            new("csv.import / \\copy", $"median {Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00})", "at most 3", Median(ratios) <= 3),
            new("the same, a new worker's first job", $"{firstImport / firstCopy:0.00} ({firstImport:0.00} s)", "at most 3", firstImport / firstCopy <= 3),
            new("worker's peak resident memory", $"{resident} MB", "under 200 MB", resident < 200),
        ];
    }

    private static async Task<IReadOnlyList<Figure>> HandoverAsync(Ground ground)
    {
        await ground.ResetAsync();
        var api = await ground.StartApiAsync();
        var workers = new List<HostProcess> { await ground.StartWorkerAsync(), await ground.StartWorkerAsync() };
        using var client = Ground.Client(api);
        var job = await client.SubmitAsync(new SubmitJob { Type = "probe.sleep", Input = JsonSerializer.SerializeToElement(new { seconds = 3600, steps = 36_000 }) });
        await Task.Delay(TimeSpan.FromSeconds(12)); // an API judges no worker before it has watched for a whole lease
        var figures = new List<Figure>();
        foreach (var (signal, name, limit) in new[] { (Signal.Terminate, "SIGTERM", 2.0), (Signal.Kill, "kill -9", 5.0) })
        {
            var seconds = new List<double>();
            for (var round = 0; round < 20; round++)
            {
                var present = (await client.GetRunsAsync(job.Id)).Items[^1];
                var worker = workers.Single(w => w.Name == present.Worker);
                await Task.Delay(Random.Shared.Next(300, 1300));
                var at = DateTime.UtcNow;
                worker.Process.Signal(signal);
                Run next;
                while ((next = (await client.GetRunsAsync(job.Id)).Items[^1]).Epoch == present.Epoch || next.EndedAt is not null)
                {
                    await Task.Delay(10);
                }

                seconds.Add((next.StartedAt - at).TotalSeconds);
                await worker.Process.WaitForExitAsync();
                workers.Remove(worker);
                workers.Add(await ground.StartWorkerAsync());
            }

            var sorted = seconds.Order().ToArray();
            figures.Add(new($"hand-over by {name}", $"p50 {Load.At(sorted, 0.5):0.00} s, p99 {Load.At(sorted, 0.99):0.00} s", $"p99 under {limit:0} s", Load.At(sorted, 0.99) < limit));
        }

        return figures;
    }

    /// <summary>Job types are registered by workers: one comes and goes.</summary>
    internal static async Task RegisterTypesAsync(Ground ground)
    {
        var worker = await ground.StartWorkerAsync();
        await worker.Process.StopAsync(TimeSpan.FromSeconds(30));
    }

    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    private static int PeakMegabytes(int pid) =>
        int.Parse(File.ReadLines($"/proc/{pid}/status").Single(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
}
