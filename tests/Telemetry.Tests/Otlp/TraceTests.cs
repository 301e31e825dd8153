namespace QueueScale.Tests;

/// <summary>One trace goes from a request through PostgreSQL and the queue to every run of its job.</summary>
public sealed class TraceTests(Traced traced) : IClassFixture<Traced>
{
    [Fact]
    public void The_request_continues_its_callers_trace_and_is_named_by_its_route()
    {
        var request = traced.SubmissionOf(traced.HandedOver);
        Assert.Equal((Traced.CallersTrace, Traced.CallersSpan, Traced.CallersState), (request.TraceId, request.ParentId, request.TraceState));
        Assert.Equal(("queuescale-api", "POST /v1/jobs", 2, 0), (request.Service, request.Name, request.Kind, request.Status));
        Assert.Equal(("POST", "/v1/jobs", "202"), (request.Attributes["http.request.method"], request.Attributes["http.route"], request.Attributes["http.response.status_code"]));
    }

    [Fact]
    public void Both_runs_of_a_handed_over_job_are_children_of_its_submission_in_one_trace()
    {
        var request = traced.SubmissionOf(traced.HandedOver);
        var runs = traced.RunsOf(traced.HandedOver);
        Assert.Equal([traced.First, traced.Second], runs.Select(run => run.Service));
        Assert.All(runs, run => Assert.Equal((Traced.CallersTrace, request.Id, Traced.CallersState), (run.TraceId, run.ParentId, run.TraceState)));
        Assert.All(runs, run => Assert.Equal(("process default", 5, 0), (run.Name, run.Kind, run.Status)));
        Assert.Equal(["interrupted queued", "succeeded succeeded"], runs.Select(Ending));
        Assert.Equal(["1", "2"], runs.Select(run => run.Attributes["queuescale.run.epoch"]));
        Assert.Equal(["1", "1"], runs.Select(run => run.Attributes["queuescale.job.attempt"]));
    }

    [Fact]
    public void A_run_after_a_hand_over_links_to_the_run_that_it_takes_over_from()
    {
        var runs = traced.RunsOf(traced.HandedOver);
        Assert.Empty(runs[0].Links);
        Assert.DoesNotContain("queuescale.run.after", runs[0].Attributes.Keys);
        Assert.Equal([(runs[0].TraceId, runs[0].Id)], runs[1].Links);
        Assert.Equal("interrupted", runs[1].Attributes["queuescale.run.after"]);
    }

    [Fact]
    public void Every_checkpoint_is_an_event_of_the_run_that_saved_it()
    {
        var runs = traced.RunsOf(traced.HandedOver);
        Assert.All(runs, run => Assert.All(run.Events, happened => Assert.Equal(("checkpoint", "grouped"), (happened.Name, happened.Attributes["queuescale.checkpoint.kind"]))));
        Assert.Equal(Enumerable.Range(1, 80), runs.SelectMany(run => run.Events).Select(happened => int.Parse(happened.Attributes["queuescale.checkpoint.seq"], null)));
        Assert.All(runs, run => Assert.Equal($"{run.Events.Count}", run.Attributes["queuescale.run.checkpoints"]));
        Assert.Equal(["0", $"{runs[0].Events.Count}"], runs.Select(run => run.Attributes["queuescale.run.from_checkpoint"]));
        Assert.NotEmpty(runs[0].Events);
    }

    [Fact]
    public void A_run_after_a_crash_links_to_the_submission_because_a_dead_worker_has_sent_no_span()
    {
        var run = Assert.Single(traced.RunsOf(traced.Crashed));
        var request = traced.SubmissionOf(traced.Crashed);
        Assert.Equal(("2", "crashed", "succeeded succeeded"), (run.Attributes["queuescale.run.epoch"], run.Attributes["queuescale.run.after"], Ending(run)));
        Assert.Equal([(request.TraceId, request.Id)], run.Links);
    }

    [Fact]
    public void A_failed_attempt_says_why_and_the_next_one_links_to_it()
    {
        var runs = traced.RunsOf(traced.Retried);
        Assert.Equal([2, 0], runs.Select(run => run.Status));
        Assert.Equal(["failed retrying", "succeeded succeeded"], runs.Select(Ending));
        Assert.Equal(["1", "2"], runs.Select(run => run.Attributes["queuescale.job.attempt"]));
        Assert.Equal("handler_failed", runs[0].Attributes["error.type"]);
        var thrown = Assert.Single(runs[0].Events);
        Assert.Equal(("exception", "System.InvalidOperationException"), (thrown.Name, thrown.Attributes["exception.type"]));
        Assert.Equal([(runs[0].TraceId, runs[0].Id)], runs[1].Links);
        Assert.Equal("failed", runs[1].Attributes["queuescale.run.after"]);
    }

    [Fact]
    public void A_timeout_is_an_error_of_its_run()
    {
        var run = Assert.Single(traced.RunsOf(traced.TimedOut));
        Assert.Equal((2, "timed_out", "timedOut failed"), (run.Status, run.Attributes["error.type"], Ending(run)));
    }

    [Fact]
    public void Each_job_of_a_batch_runs_in_the_trace_of_the_one_request()
    {
        var request = traced.SubmissionOf(traced.Batch[0]);
        Assert.Equal("POST /v1/jobs/batch", request.Name);
        Assert.All(traced.Batch, job => Assert.Equal((request.TraceId, request.Id), Assert.Single(traced.RunsOf(job)) is var run ? (run.TraceId, run.ParentId) : default));
    }

    [Fact]
    public void A_job_that_was_parked_and_sent_by_the_feeder_runs_in_the_trace_of_its_submission()
    {
        var run = Assert.Single(traced.RunsOf(traced.Parked));
        Assert.Equal(traced.SubmissionOf(traced.Parked).TraceId, run.TraceId);
    }

    [Fact]
    public void Statements_of_a_request_are_its_children_and_nothing_else_makes_a_trace()
    {
        var reads = traced.Receiver.Spans.Where(span => span.Name == "GET /v1/jobs/{id}").Select(span => span.Id).ToHashSet();
        var statements = traced.Receiver.Spans.Where(span => span.Source == "Npgsql").ToArray();
        Assert.Contains(statements, statement => reads.Contains(statement.ParentId));
        Assert.All(statements, statement => Assert.NotEmpty(statement.ParentId));
        Assert.All(traced.Receiver.Spans.Where(span => span.ParentId.Length == 0), root => Assert.Equal("Microsoft.AspNetCore", root.Source));
    }

    [Fact]
    public async Task Probes_and_scrapes_make_no_spans()
    {
        await Scrape.OfAsync(traced.Api);
        var last = $"/v1/jobs/{Guid.CreateVersion7()}";
        using var http = new HttpClient { BaseAddress = traced.Api.Url, DefaultRequestHeaders = { Authorization = new("Bearer", Stage.Key) } };
        using var answer = await http.GetAsync(new Uri(last, UriKind.Relative), TestContext.Current.CancellationToken);
        await Waiting.UntilAsync(() => Task.FromResult(Paths().Contains(last)));
        Assert.DoesNotContain(Paths(), path => path.StartsWith("/health", StringComparison.Ordinal) || path.StartsWith("/metrics", StringComparison.Ordinal));

        HashSet<string> Paths() => [.. traced.Receiver.Spans.Where(span => span.Kind == 2).Select(span => span.Attributes["url.path"])];
    }

    [Fact]
    public async Task Lines_of_a_request_and_of_a_run_carry_its_trace_and_span_where_they_are_sent()
    {
        var request = traced.SubmissionOf(traced.HandedOver);
        await Waiting.UntilAsync(() => Task.FromResult(
            traced.Receiver.Logs.Any(line => line.Service == "queuescale-api" && (line.TraceId, line.SpanId) == (request.TraceId, request.Id))));
        foreach (var (run, end) in traced.RunsOf(traced.HandedOver).Zip(["Queued", "Succeeded"]))
        {
            var lines = traced.Receiver.Logs.Where(line => (line.TraceId, line.SpanId) == (run.TraceId, run.Id)).ToArray();
            Assert.All(lines, line => Assert.Equal(run.Service, line.Service));
            Assert.Contains(lines, line => line.Text.Contains("started, run", StringComparison.Ordinal));
            Assert.Contains(lines, line => line.Text.Contains($"is {end} after run", StringComparison.Ordinal));
            Assert.All(lines, line => Assert.Contains(KeyValuePair.Create("JobId", traced.HandedOver.ToString()), line.Attributes));
        }
    }

    [Fact]
    public void No_line_says_a_thing_twice() => Assert.All(traced.Receiver.Logs, line => Assert.Equal(
        string.Join(' ', line.Attributes.Select(attribute => attribute.Key).Distinct()), string.Join(' ', line.Attributes.Select(attribute => attribute.Key))));

    [Fact]
    public void Lines_of_a_run_carry_its_trace_and_span_where_they_are_written()
    {
        var run = traced.RunsOf(traced.HandedOver)[1];
        var lines = File.ReadLines(traced.Stage.LogOf(traced.Second)).Where(line => line.Contains($"Job {traced.HandedOver}", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Contains($"\"TraceId\":\"{run.TraceId}\",\"SpanId\":\"{run.Id}\"", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Metrics_of_each_process_arrive_under_its_name()
    {
        await Waiting.UntilAsync(() => Task.FromResult(traced.Receiver.Metrics.Contains(("queuescale-api", "queuescale.jobs.submitted")) && traced.Receiver.Metrics.Contains(("w3", "queuescale.job.run"))));
        Assert.Contains(("queuescale-api", "http.server.request.duration"), traced.Receiver.Metrics);
        var api = traced.Receiver.Services["queuescale-api"];
        Assert.Equal(("test", Environment.MachineName), (api["deployment.environment.name"], api["host.name"]));
        Assert.EndsWith("w3", traced.Receiver.Services["w3"]["queuescale.worker.name"], StringComparison.Ordinal);
    }

    [Fact]
    public void Spans_of_runs_carry_the_attributes_and_events_of_the_page_and_no_other()
    {
        var runs = traced.Runs.ToArray();
        Assert.All(runs, run => Assert.StartsWith("process ", run.Name, StringComparison.Ordinal));
        var events = runs.SelectMany(run => run.Events).ToArray();
        foreach (var (name, attributes) in PageTests.Events())
        {
            Assert.All(events.Where(happened => happened.Name == name), happened => Assert.Equal(attributes.Order(StringComparer.Ordinal), happened.Attributes.Keys.Order(StringComparer.Ordinal)));
        }

        Assert.Equal(PageTests.Events().Select(happened => happened.Name).Order(StringComparer.Ordinal), events.Select(happened => happened.Name).Distinct().Order(StringComparer.Ordinal));
        var ofEvents = PageTests.Events().SelectMany(happened => happened.Attributes);
        Assert.Equal(PageTests.Attributes().Except(ofEvents).Order(StringComparer.Ordinal), runs.SelectMany(run => run.Attributes.Keys).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Spans_of_requests_carry_the_attributes_of_the_page_and_no_other()
    {
        var requests = traced.Receiver.Spans.Where(span => span.Source == "Microsoft.AspNetCore").ToArray();
        Assert.Contains(requests, request => request.Name == "POST /v1/jobs");
        Assert.Empty(requests.SelectMany(request => request.Attributes.Keys).Distinct().Except(PageTests.RequestAttributes()));
        var always = PageTests.RequestAttributes().Except(["error.type"]).ToArray();
        Assert.All(requests.Where(request => request.Attributes.ContainsKey("http.route")), request => Assert.Empty(always.Except(request.Attributes.Keys)));
    }

    private static string Ending(Span run) => $"{run.Attributes["queuescale.run.ending"]} {run.Attributes["queuescale.job.state"]}";
}
