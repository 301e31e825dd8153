using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>docs/telemetry.md and what live processes answer are the same.</summary>
public sealed partial class LiveTests(Live live) : IClassFixture<Live>
{
    private static readonly string[] BuiltIn = ["http_server_", "aspnetcore_", "kestrel_", "dotnet_", "db_client_"];

    [Fact]
    public async Task The_API_shows_the_metrics_of_the_page_with_type_and_labels_and_no_other()
    {
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Sum("queuescale_reconciled_total") > 0);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Families.Any(family => family.Name == "queuescale_broker_messages"));
        Assert.Equal(OnPage("Of the API"), Shown(await Scrape.OfAsync(live.Api)));
    }

    [Fact]
    public async Task A_worker_shows_the_metrics_of_the_page_with_type_and_labels_and_no_other()
    {
        var scrape = await Scrape.OfAsync(live.Worker);
        Assert.Null(scrape.Value("queuescale_drain_seconds"));
        Assert.InRange(live.Drained[0].Value("queuescale_drain_seconds")!.Value, 0, 5);
        Assert.Equal(OnPage("Of the worker"), Shown(scrape).Append("queuescale_drain_seconds gauge ").Append("queuescale_outbound_seconds histogram host").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Every_metric_says_what_it_is()
    {
        foreach (var process in new[] { live.Api, live.Worker })
        {
            Assert.All((await Scrape.OfAsync(process)).Families, family => Assert.True(family.Help.Length > 10, family.Name));
        }
    }

    [Fact]
    public async Task The_built_in_meters_have_the_names_and_labels_that_public_dashboards_ask_for()
    {
        using (var http = new HttpClient())
        {
            using var answer = await http.GetAsync(new Uri(live.Api.Url, "health/live"), TestContext.Current.CancellationToken); // a connection that ends, and so has a duration
        }

        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Families.Any(family => family.Name == "kestrel_connection_duration_seconds"));
        var scrape = await Scrape.OfAsync(live.Api);
        var names = scrape.Families.Select(family => family.Name).ToHashSet();
        // The runtime declares the thread pool's as counters, so OpenTelemetry's rules make them _total.
        string[] expected =
        [
            "http_server_request_duration_seconds", "http_server_active_requests", "kestrel_active_connections", "kestrel_connection_duration_seconds", "kestrel_queued_connections",
            "aspnetcore_routing_match_attempts_total", "dotnet_process_cpu_time_seconds_total", "dotnet_process_memory_working_set_bytes", "dotnet_gc_collections_total",
            "dotnet_gc_pause_time_seconds_total", "dotnet_gc_last_collection_heap_size_bytes", "dotnet_thread_pool_thread_count_total", "dotnet_thread_pool_queue_length_total",
            "dotnet_monitor_lock_contentions_total", "dotnet_exceptions_total", "db_client_operation_duration_seconds", "db_client_connection_count", "db_client_connection_max",
        ];
        Assert.Empty(expected.Except(names));
        Assert.True(scrape.Value("http_server_request_duration_seconds_count", ("http_route", "/v1/jobs"), ("http_request_method", "POST"), ("http_response_status_code", "202")) >= 200);
        Assert.DoesNotContain(scrape.Samples, sample => sample.Name.StartsWith("http_server_", StringComparison.Ordinal) && sample.Labels.GetValueOrDefault("http_route") == "/metrics");
        Assert.All(names, name => Assert.True(name.StartsWith("queuescale_", StringComparison.Ordinal) || BuiltIn.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal)), name));
    }

    [Fact]
    public async Task Pools_are_known_by_name_and_no_connection_string_shows()
    {
        foreach (var process in new[] { live.Api, live.Worker })
        {
            var scrape = await Scrape.OfAsync(process);
            Assert.Subset(new HashSet<string> { "steps", "general", "own" }, scrape.Samples.Select(sample => sample.Labels.GetValueOrDefault("db_client_connection_pool_name")).OfType<string>().ToHashSet());
            Assert.DoesNotContain("Host=", scrape.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_job_is_counted_where_it_is_accepted_and_once_where_it_ends()
    {
        var (api, worker) = (await Scrape.OfAsync(live.Api), await Scrape.OfAsync(live.Worker));
        var waiting = await live.Stage.ScalarAsync<long>("select count(*) from jobs where state < 5");
        var all = await live.Stage.ScalarAsync<long>("select count(*) from jobs");
        Assert.Equal(all - 1, api.Sum("queuescale_jobs_submitted_total")); // one was put into the table by hand
        Assert.Equal(all - waiting, api.Sum("queuescale_jobs_finished_total") + worker.Sum("queuescale_jobs_finished_total") + live.Drained.Sum(left => left.Sum("queuescale_jobs_finished_total")));
        Assert.Equal(1, worker.Value("queuescale_jobs_finished_total", ("type", "probe.fail"), ("outcome", "failed")));
        Assert.Equal(1, api.Value("queuescale_jobs_finished_total", ("type", "probe.noop"), ("outcome", "cancelled")));
        Assert.Equal(1, worker.Value("queuescale_resumes_total", ("reason", "retry")));
        Assert.Equal(await live.Stage.ScalarAsync<long>("select count(*) from runs where how = 'interrupted'"), live.Drained.Append(worker).Sum(scrape => scrape.Value("queuescale_handover_seconds_count", ("reason", "drain")) ?? 0));
        Assert.True(api.Value("queuescale_refused_total", ("reason", "invalid-job")) >= 1);
        Assert.Equal(32, worker.Value("queuescale_worker_slots", ("queue", "default")));
    }

    [Fact]
    public async Task A_counter_is_there_before_its_first_event_so_that_a_rate_sees_it()
    {
        var worker = await Scrape.OfAsync(live.Worker);
        Assert.Equal(0, worker.Value("queuescale_resumes_total", ("reason", "crash")));
        Assert.Equal(0, worker.Value("queuescale_jobs_finished_total", ("queue", "default"), ("type", "probe.noop"), ("outcome", "failed")));
        Assert.Equal(0, worker.Value("queuescale_checkpoints_total", ("kind", "transactional")));
        Assert.Equal(0, worker.Value("queuescale_late_writes_refused_total"));
        var api = await Scrape.OfAsync(live.Api);
        Assert.Equal(0, api.Value("queuescale_reconciled_total", ("reason", "many_lost")));
        Assert.Equal(0, api.Value("queuescale_worker_crashes_total"));
        Assert.Equal(0, api.Value("queuescale_jobs_submitted_total", ("type", "probe.crash")));
        Assert.Equal(0, api.Value("queuescale_jobs_finished_total", ("type", "probe.crash"), ("outcome", "failed")));
    }

    [Fact]
    public async Task A_request_that_its_caller_breaks_off_counts_as_no_success()
    {
        using var http = new HttpClient { BaseAddress = live.Api.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        using var body = new StreamContent(new System.IO.Pipelines.Pipe().Reader.AsStream()) { Headers = { ContentType = new("application/json") } }; // which never comes
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("v1/jobs", UriKind.Relative)) { Content = body, Headers = { ExpectContinue = true } }; // so that its head goes before its body
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => http.SendAsync(request, soon.Token));
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Value("http_server_request_duration_seconds_count", ("http_route", "/v1/jobs"), ("http_response_status_code", "499")) == 1);
    }

    [Fact]
    public async Task The_depth_is_what_the_table_says()
    {
        await live.Client.SubmitBatchAsync([.. Enumerable.Range(0, 300).Select(_ => Live.Job("probe.noop") with { Queue = "bulk" }), .. Enumerable.Range(0, 50).Select(_ => Live.Job("probe.noop") with { Queue = "bulk", Delay = "PT1H" })]);
        await live.Stage.ExecuteAsync("update jobs set at = clock_timestamp() - '90 s'::interval where id = (select id from jobs where queue = 'bulk' and state = 1 limit 1)");
        var ready = await live.Stage.ScalarAsync<long>("select count(*) from jobs where queue = 'bulk' and state = 1");
        var scheduled = await live.Stage.ScalarAsync<long>("select count(*) from jobs where queue = 'bulk' and state in (0, 3)");
        Scrape scrape = null!;
        await Waiting.UntilAsync(async () => (scrape = await Scrape.OfAsync(live.Api)).Value("queuescale_queue_ready", ("queue", "bulk")) == ready && Bulk("queue_oldest_seconds") > 80, patience: TimeSpan.FromSeconds(3));
        var scale = await live.Client.GetScaleAsync("bulk");
        Assert.Equal((scheduled, 0), (Bulk("queue_scheduled"), Bulk("queue_running")));
        Assert.InRange(Bulk("queue_oldest_seconds"), 89, 120);
        Assert.Equal((scale.DrainSeconds, scale.DesiredWorkers, 0), (Math.Round(Bulk("queue_drain_seconds"), 3), Bulk("workers_desired"), Bulk("workers_live")));
        Assert.Equal(1, scrape.Value("queuescale_workers_live", ("queue", "default")));

        double Bulk(string name) => scrape.Value($"queuescale_{name}", ("queue", "bulk"))!.Value;
    }

    [Fact]
    public async Task A_thousand_bad_names_of_each_kind_make_no_series()
    {
        using var http = new HttpClient { BaseAddress = live.Api.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        await NameAsync("first", 1);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Value("queuescale_queue_scheduled", ("queue", "_other")) >= 1);
        var before = Names(await Scrape.OfAsync(live.Api));

        await NameAsync("bad", 1000);
        Scrape after = null!;
        await Waiting.UntilAsync(async () => (after = await Scrape.OfAsync(live.Api)).Value("queuescale_queue_scheduled", ("queue", "_other")) >= 151);
        Assert.Empty(Names(after).Except(before).Except(["queuescale_broker_messages{queue=\"bulk\"}"])); // which is asked for some time after jobs of other tests came to it

        async Task NameAsync(string word, int count)
        {
            await live.Client.SubmitBatchAsync([.. Enumerable.Range(0, Math.Min(count, 150)).Select(n => Live.Job("probe.noop") with { Queue = $"{word}-{n}", Delay = "PT1H", Tags = [$"{word}-{n}"] })]); // of new names no more are taken than 200
            await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (n, cancellation) =>
            {
                await Assert.ThrowsAsync<QueueScaleException>(() => live.Client.SubmitAsync(Live.Job($"{word}.{n}"), cancellation));
                await Assert.ThrowsAsync<QueueScaleException>(() => live.Client.SubmitAsync(Live.Job("probe.noop") with { Queue = $"Not a queue {word} {n}" }, cancellation));
                using var route = await http.GetAsync(new Uri($"v1/{word}/{n}", UriKind.Relative), cancellation);
                using var job = await http.GetAsync(new Uri($"v1/jobs/{word}-{n}?tag={word}-{n}", UriKind.Relative), cancellation);
                using var scale = await http.GetAsync(new Uri($"v1/queues/{word}-{n}/scale", UriKind.Relative), cancellation);
                using var method = await http.SendAsync(new HttpRequestMessage(new HttpMethod($"{word}{n}".ToUpperInvariant()), "v1/jobs"), cancellation);
                using var noKey = new HttpRequestMessage(HttpMethod.Get, "v1/jobs") { Headers = { Authorization = new("Bearer", $"qs_{word}{n}") } };
                using var refused = await http.SendAsync(noKey, cancellation);
            });
        }

        // The runtime counts exceptions by their class, and Npgsql shows a ratio only of pools used since the last scrape: bounded, but not all of them met so far.
        static HashSet<string> Names(Scrape scrape) =>
            [.. scrape.Families.Where(family => !family.Name.StartsWith("dotnet_", StringComparison.Ordinal) && !family.Name.EndsWith("prepared_ratio", StringComparison.Ordinal)).SelectMany(family => family.Samples).Select(sample => sample.Series)];
    }

    [Fact]
    public async Task Promtool_finds_nothing_wrong_with_our_own_metrics()
    {
        var promtool = await PromTool.FindAsync(live.Stage.Folder);
        foreach (var process in new[] { live.Api, live.Worker })
        {
            var said = await PromTool.CheckMetricsAsync(promtool, (await Scrape.OfAsync(process)).Text);
            Assert.DoesNotContain("error while linting", said, StringComparison.Ordinal);
            Assert.All(said.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.True(BuiltIn.Any(prefix => line.StartsWith(prefix, StringComparison.Ordinal)), line));
        }
    }

    private static IEnumerable<string> Shown(Scrape scrape) =>
        scrape.Families.Where(family => family.Name.StartsWith("queuescale_", StringComparison.Ordinal)).Select(family => $"{family.Name} {family.Type} {string.Join(',', family.Labels)}").Order(StringComparer.Ordinal);

    private static IEnumerable<string> OnPage(string heading)
    {
        var page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "telemetry.md"));
        var section = page.Split("\n## ").Single(part => part.StartsWith(heading, StringComparison.Ordinal));
        return Row().Matches(section)
            .Select(row => $"{row.Groups["name"].Value} {row.Groups["type"].Value} {string.Join(',', row.Groups["label"].Captures.Select(label => label.Value).Order(StringComparer.Ordinal))}")
            .Order(StringComparer.Ordinal);
    }

    [GeneratedRegex(@"^\| `(?<name>queuescale_\w+)` \| (?<type>\w+) \|( `(?<label>\w+)`,?)* \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
