using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using QueueScale.Contracts;
using QueueScale.Testing;

namespace QueueScale.Jobs.Tests;

/// <summary>Imports from https: every row once, or a clear end.</summary>
public sealed class WebImportTests(PostgresForTests postgres, WebServer web) : IClassFixture<PostgresForTests>, IClassFixture<WebServer>, IDisposable
{
    private const string Text = "a,b\n1,x\n2,\"y\nz\"\n3,\n4,\uFEFFw\n5,v\n6,u\n7,t\n";
    private const string Tag = "\"v1\"";
    private static readonly DateTimeOffset LongAgo = new(2024, 5, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly string?[][] Rows = [["1", "x"], ["2", "y\nz"], ["3", null], ["4", "\uFEFFw"], ["5", "v"], ["6", "u"], ["7", "t"]];

    private readonly ImportFolder folder = new(postgres);
    private readonly string table = ImportFolder.NewTable();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("a tag", Tag, false, true)]
    [InlineData("a date", null, true, true)]
    [InlineData("a tag and a date", Tag, true, true)]
    [InlineData("a weak tag and a date, so the whole file again", "W/\"v1\"", true, false)]
    public async Task An_import_goes_on_with_the_rest_wherever_it_is_interrupted(string by, string? tag, bool hasDate, bool inParts)
    {
        web.Begin(WebServer.File(Text, tag, hasDate ? LongAgo : null));
        await MustBeWholeAsync();
        Assert.Equal(inParts, web.Requests.Any(request => request.Range.Length > 0));
        Assert.All(web.Requests.Where(request => request.Range.Length > 0), request => Assert.Equal(tag ?? "Wed, 01 May 2024 12:00:00 GMT", request.IfRange));
        Assert.NotEmpty(by);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_without_parts_is_asked_for_the_whole_file_again_and_the_rows_imported_are_passed_over(bool hasLength)
    {
        web.Begin(hasLength ? WebServer.File(Text, Tag, parts: false) : async context =>
        {
            context.Response.Headers.ETag = Tag;
            await context.Response.StartAsync(); // in chunks
            await context.Response.WriteAsync(Text);
        });
        await MustBeWholeAsync();
    }

    [Fact]
    public async Task An_interrupted_import_fails_where_nobody_can_tell_whether_the_file_is_the_same()
    {
        web.Begin(WebServer.File(Text));
        using var outbound = web.Outbound();
        var harness = Harness(outbound);
        var whole = await harness.RunAsync(Input);
        Assert.Equal(7, whole.Result.Rows);

        harness.From = whole.Checkpoints[1].Json;
        Assert.Equal("source_not_resumable", (await Assert.ThrowsAsync<JobFailed>(() => harness.RunAsync(Input))).Code);
        harness.From = whole.Checkpoints[^1].Json; // all of it was committed
        web.Begin(_ => throw new InvalidOperationException("It was asked again."));
        Assert.Equal(7, (await harness.RunAsync(Input)).Result.Rows);
        Assert.Empty(web.Requests);
    }

    [Fact]
    public async Task A_date_of_this_second_tells_nothing()
    {
        web.Begin(async context =>
        {
            var now = DateTimeOffset.UtcNow.ToString("r");
            (context.Response.Headers.Date, context.Response.Headers.LastModified) = (now, now);
            await context.Response.WriteAsync(Text);
        });
        await FailsOnTheWayAsync("source_not_resumable");
    }

    [Theory]
    [InlineData("another tag")]
    [InlineData("another tag and length")]
    [InlineData("shorter")]
    [InlineData("no tag any more")]
    [InlineData("a part of another version: the condition was ignored")]
    [InlineData("a part of another length under the same tag")]
    [InlineData("a part without its tag")]
    [InlineData("other bytes under the same tag")]
    [InlineData("no such part")]
    public async Task A_file_that_changed_between_two_runs_fails_the_job(string how)
    {
        web.Begin(WebServer.File(Text, Tag));
        await FailsOnTheWayAsync("source_changed", how switch
        {
            "another tag" => WebServer.File(Text, "\"v2\""),
            "another tag and length" => WebServer.File(Text + "8,s\n", "\"v2\""),
            "shorter" => WebServer.File("a,b\n1,x\n", "\"v2\""),
            "no tag any more" => WebServer.File(Text),
            "a part of another version: the condition was ignored" => Partly("\"v2\"", total: 38),
            "a part of another length under the same tag" => Partly(Tag, total: 39),
            "a part without its tag" => Partly(null, total: 38),
            "other bytes under the same tag" => WebServer.File(Text.Replace("\n", "\t", StringComparison.Ordinal), Tag),
            _ => WebServer.Status(416),
        });
    }

    [Theory]
    [InlineData("bytes 0-37/38")]
    [InlineData("bytes 26-37/38")]
    [InlineData("bytes 25-30/38")]
    [InlineData(null)]
    public async Task Another_part_than_was_asked_for_is_not_read(string? range)
    {
        web.Begin(WebServer.File(Text, Tag));
        await FailsOnTheWayAsync(range is null ? "source_changed" : "source_unusable", async context =>
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ETag = Tag;
            if (range is not null) context.Response.Headers.ContentRange = range;
            await context.Response.WriteAsync("\n9,9\n");
        });
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na,b\n1,x\n2,y\n", "broke off")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\na,b\n1,x\n2,y\n\r\n", "broke off")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\na,b\n1,x\n2,y\n", "neither a length nor chunks")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\na,b\n1,x\n2,y\n", "neither a length nor chunks")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\na,b\n1,x\n2,y\n", "gzip")]
    [InlineData("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-11/12\r\nContent-Length: 12\r\n\r\na,b\n1,x\n2,y\n", "not asked for")]
    [InlineData("nonsense\r\n\r\n", "could not be asked")]
    [InlineData("", "could not be asked")]
    public async Task An_improper_answer_is_never_a_whole_file(string response, string why)
    {
        using var outbound = web.Outbound(onPort: web.AnswerOnceWith(response));
        var failed = await Assert.ThrowsAnyAsync<Exception>(() => Harness(outbound).RunAsync(Input));
        Assert.True(failed is JobFailed or OutboundFailed, failed.ToString());
        Assert.Contains(why, failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_falls_silent_is_given_up()
    {
        var soon = TimeSpan.FromMilliseconds(300);
        web.Begin(async context =>
        {
            await context.Response.WriteAsync(Text[..30]);
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var inTheMiddle = web.Outbound(options => options.MaxSilence = soon);
        Assert.Contains("sent nothing for 0.3 seconds", (await Assert.ThrowsAsync<OutboundFailed>(() => Harness(inTheMiddle).RunAsync(Input))).Message, StringComparison.Ordinal);

        web.Begin(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var before = web.Outbound(options => options.AnswerWithin = soon);
        Assert.Contains("not answered in time", (await Assert.ThrowsAsync<OutboundFailed>(() => Harness(before).RunAsync(Input))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_trickles_in_is_saved_as_it_comes_and_a_run_that_waits_for_more_ends_when_it_must()
    {
        var left = new TaskCompletionSource();
        web.Begin(async context =>
        {
            context.RequestAborted.Register(() => left.TrySetResult());
            await context.Response.WriteAsync("a,b\n");
            for (var i = 1; !context.RequestAborted.IsCancellationRequested; i++)
            {
                await context.Response.WriteAsync($"{i},x\n");
                await context.Response.Body.FlushAsync();
                await Task.Delay(10, context.RequestAborted);
            }
        });
        using var outbound = web.Outbound();
        using var stop = new CancellationTokenSource();
        var run = folder.Harness(table, rowsPerCheckpoint: null, outbound: outbound).RunAsync(Input, stop.Token);
        while (!run.IsCompleted && await CountAsync() == 0) await Task.Delay(20); // far fewer rows than a first batch has
        Assert.InRange(await CountAsync(), 1, 4_000);
        await stop.CancelAsync();
        var ended = await Record.ExceptionAsync(() => run.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.False(ended is null or TimeoutException or JobFailed, $"{ended}"); // whatever else a stopped run throws means that it was stopped
        await left.Task.WaitAsync(TimeSpan.FromSeconds(60)); // the connection is not kept
    }

    [Fact]
    public async Task A_run_that_is_stopped_does_not_wait_for_a_silent_server()
    {
        var text = "a,b\n" + string.Concat(Enumerable.Range(1, 7).Select(n => $"{n},{new string('x', 100)}\n"));
        web.Begin(async context =>
        {
            if (context.Request.Headers.Range.Count > 0)
            {
                await WebServer.File(text, Tag)(context);
                return;
            }

            context.Response.Headers.ETag = Tag;
            context.Response.ContentLength = Encoding.UTF8.GetByteCount(text);
            await context.Response.WriteAsync(text[..400]); // three rows and a part of the next
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var outbound = web.Outbound();
        var job = await Harness(outbound).RunAsync(Input, [new(1, InterruptionKind.Stop)]); // the harness gives it 10 seconds, silence would take 30
        Assert.Equal((2, 7L), (web.Requests.Count, job.Result.Rows));
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7"], (await postgres.RowsAsync(table)).Select(row => row[0]!));
    }

    [Fact]
    public async Task A_part_that_is_shorter_than_it_says_is_no_success()
    {
        web.Begin(WebServer.File(Text, Tag));
        using var outbound = web.Outbound();
        var harness = Harness(outbound);
        harness.From = (await harness.RunAsync(Input)).Checkpoints[1].Json;
        web.Begin(async context =>
        {
            context.Response.StatusCode = 206;
            context.Response.Headers.ETag = Tag;
            context.Response.Headers.ContentRange = "bytes 25-37/38";
            await context.Response.WriteAsync("\n5,v\n"); // in chunks, properly ended
        });
        Assert.Contains("broke off after 5 of 13", (await Assert.ThrowsAsync<OutboundFailed>(() => harness.RunAsync(Input))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_that_is_too_large_is_refused_before_or_on_the_way(bool hasLength)
    {
        web.Begin(async context =>
        {
            if (hasLength) context.Response.ContentLength = Encoding.UTF8.GetByteCount(Text);
            await context.Response.WriteAsync(Text);
        });
        using var outbound = web.Outbound(options => options.MaxBytes = 30);
        var failed = await Assert.ThrowsAsync<JobFailed>(() => Harness(outbound).RunAsync(Input));
        Assert.Equal("source_too_large", failed.Code);
        Assert.Contains("Jobs:Outbound:MaxBytes", failed.Message, StringComparison.Ordinal);
        using var enough = web.Outbound(options => options.MaxBytes = Encoding.UTF8.GetByteCount(Text));
        Assert.Equal(7, (await Harness(enough).RunAsync(Input)).Result.Rows);
    }

    [Theory]
    [InlineData(429, "7", 7)]
    [InlineData(503, "7", 7)]
    [InlineData(429, "0", 1)]
    [InlineData(429, "86400", 3600)]
    [InlineData(503, "Fri, 31 Dec 2100 23:59:59 GMT", 3600)]
    [InlineData(429, "Wed, 01 May 2024 12:00:00 GMT", 1)]
    public async Task A_server_that_says_when_to_come_again_is_obeyed(int status, string retryAfter, int seconds)
    {
        web.Begin(context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = retryAfter;
            return Task.CompletedTask;
        });
        using var outbound = web.Outbound();
        var harness = Harness(outbound);
        Assert.Equal(TimeSpan.FromSeconds(seconds), (await Assert.ThrowsAsync<RetryLater>(() => harness.RunAsync(Input))).After);
        harness.Epoch = 101; // a job must end some time
        await Assert.ThrowsAsync<OutboundFailed>(() => harness.RunAsync(Input));
    }

    [Theory]
    [InlineData(500, null)]
    [InlineData(502, null)]
    [InlineData(503, null)]
    [InlineData(429, null)]
    [InlineData(408, null)]
    [InlineData(400, "source_unusable")]
    [InlineData(401, "source_forbidden")]
    [InlineData(403, "source_forbidden")]
    [InlineData(404, "source_missing")]
    [InlineData(410, "source_missing")]
    [InlineData(204, "source_unusable")]
    [InlineData(304, "source_unusable")]
    public async Task An_answer_without_the_file_is_tried_again_or_fails_the_job(int status, string? code)
    {
        web.Begin(WebServer.Status(status));
        using var outbound = web.Outbound();
        var failed = await Assert.ThrowsAnyAsync<Exception>(() => Harness(outbound).RunAsync(Input with { Source = "https://files.test/x.csv?signature=secret" }));
        Assert.Equal(code, (failed as JobFailed)?.Code);
        Assert.True(failed is JobFailed or OutboundFailed, failed.ToString());
        Assert.Contains($"answers {status}", failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_host_that_is_not_there_is_tried_again()
    {
        using var outbound = web.Outbound();
        Assert.Contains("nowhere.test has no address", (await Assert.ThrowsAsync<OutboundFailed>(() => Harness(outbound).RunAsync(Input with { Source = "https://nowhere.test/x.csv" }))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a,b\n")]
    [InlineData("\uFEFFa,b")]
    public async Task A_file_without_rows_is_a_success(string text)
    {
        web.Begin(WebServer.File(text, Tag));
        using var outbound = web.Outbound();
        Assert.Equal(0, (await Harness(outbound).InterruptEverywhere(Input)).Result.Rows);
    }

    [Fact]
    public async Task A_file_in_another_encoding_is_told()
    {
        web.Begin(async context => await context.Response.Body.WriteAsync(Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(Text)).ToArray()));
        using var outbound = web.Outbound();
        Assert.Equal("csv_encoding", (await Assert.ThrowsAsync<JobFailed>(() => Harness(outbound).RunAsync(Input))).Code);
    }

    private CsvImportInput Input => new() { Source = "https://files.test/x.csv", Table = table };

    private JobHarness<CsvImportInput, CsvImportResult> Harness(Outbound outbound) => folder.Harness(table, outbound: outbound);

    private async Task MustBeWholeAsync()
    {
        using var outbound = web.Outbound();
        var job = await Harness(outbound).InterruptEverywhere(Input, async () => await postgres.RowsAsync(table));
        Assert.Equal(Rows, await postgres.RowsAsync(table));
        Assert.Equal(ImportFolder.Checksum(Rows), job.Result.Checksum);
        Assert.Equal(4, job.Checkpoints.Count);
    }

    /// <summary>Imports all of it, then once more from the second checkpoint on.</summary>
    private async Task FailsOnTheWayAsync(string code, RequestDelegate? later = null)
    {
        using var outbound = web.Outbound();
        var harness = Harness(outbound);
        var checkpoints = (await harness.RunAsync(Input)).Checkpoints;
        if (later is not null) web.Begin(later);
        harness.From = checkpoints[1].Json;
        var failed = await Assert.ThrowsAsync<JobFailed>(() => harness.RunAsync(Input));
        Assert.Equal(code, failed.Code);
        Assert.Contains("mode replace", failed.Message, StringComparison.Ordinal);
        Assert.Equal(7L, await CountAsync());
    }

    private async Task<long> CountAsync() =>
        await postgres.ScalarAsync<bool>($"select to_regclass('imports.{table}') is not null") ? await postgres.ScalarAsync<long>($"select count(*) from imports.{table}") : 0;

    /// <summary>A server that sends the part that it is asked for, whatever the condition.</summary>
    private static RequestDelegate Partly(string? tag, int total) => async context =>
    {
        var from = (int)RangeHeaderValue.Parse(context.Request.Headers.Range.ToString()).Ranges.Single().From!.Value;
        context.Response.StatusCode = 206;
        if (tag is not null) context.Response.Headers.ETag = tag;
        context.Response.Headers.ContentRange = $"bytes {from}-{total - 1}/{total}";
        context.Response.ContentLength = total - from;
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Text.PadRight(100)).AsMemory(from..total));
    };
}
