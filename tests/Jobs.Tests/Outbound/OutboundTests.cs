using System.ComponentModel.DataAnnotations;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using QueueScale.Contracts;

namespace QueueScale.Jobs.Tests;

/// <summary>What bounds the requests to other hosts.</summary>
public sealed class OutboundTests(WebServer web) : IClassFixture<WebServer>
{
    [Fact]
    public async Task No_more_requests_than_allowed_are_under_way_to_one_host_until_their_files_are_read()
    {
        var outside = new Lock();
        var (now, most, asked) = (0, 0, 0);
        web.Begin(async context =>
        {
            Interlocked.Increment(ref asked);
            lock (outside) most = Math.Max(most, ++now);
            await context.Response.WriteAsync("a\n");
            await context.Response.Body.FlushAsync();
            await Task.Yield();
            lock (outside) now--; // before the file ends
        });
        using var outbound = web.Outbound(options => options.MaxPerHost = 3);
        await Task.WhenAll(Enumerable.Range(0, 24).Select(async _ =>
        {
            using var answer = await outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None);
            await answer.Body.CopyToAsync(Stream.Null);
        }));
        Assert.Equal(24, asked);
        Assert.InRange(most, 1, 3);
    }

    [Fact]
    public async Task Nothing_is_fetched_from_where_a_certificate_says_that_its_issuer_lies()
    {
        using var inside = new TcpListener(IPAddress.Loopback, 0);
        inside.Start();
        using var certificate = WebServer.CertificateWithIssuerAt(new Uri($"http://{inside.LocalEndpoint}/issuer.crt"));
        using var outbound = web.Outbound(onPort: web.AnswerOnceWith("", certificate));
        await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None));
        Assert.False(inside.Pending());
    }

    [Fact]
    public async Task Who_waits_too_long_for_a_host_runs_again_later_and_another_host_is_free()
    {
        var slots = new HostSlots(1, TimeSpan.FromMilliseconds(50));
        var first = await slots.EnterAsync("a:443", CancellationToken.None);
        var later = await Assert.ThrowsAsync<RetryLater>(() => slots.EnterAsync("a:443", CancellationToken.None));
        Assert.InRange(later.After, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(15));
        (await slots.EnterAsync("b:443", CancellationToken.None)).Dispose();
        first.Dispose();
        first.Dispose(); // gives it back once
        using var second = await slots.EnterAsync("a:443", CancellationToken.None);
        await Assert.ThrowsAsync<RetryLater>(() => slots.EnterAsync("a:443", CancellationToken.None));
    }

    [Fact]
    public async Task A_slot_is_given_back_however_the_asking_ends()
    {
        using var outbound = web.Outbound(options => options.MaxPerHost = 1);
        for (var i = 0; i < 2; i++)
        {
            web.Begin(WebServer.Status(500));
            (await outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None)).Dispose();
            web.Begin(context =>
            {
                context.Response.Redirect("https://127.0.0.1/");
                return Task.CompletedTask;
            });
            await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None));
            web.Begin(context =>
            {
                context.Abort();
                return Task.CompletedTask;
            });
            await Assert.ThrowsAsync<OutboundFailed>(() => outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None));
        }
    }

    [Fact]
    public async Task Each_request_is_counted_and_only_hosts_of_the_settings_have_a_label()
    {
        const string One = "files.test:443";
        var slots = new HostSlots(1, TimeSpan.FromSeconds(30));
        using var metrics = new OutboundMetrics(slots, new HashSet<string> { One });
        var values = new Dictionary<(string Name, string Host), double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, its) =>
        {
            if (instrument.Meter.Name == "QueueScale.Jobs") its.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();

        metrics.Asked(One, TimeSpan.FromSeconds(2));
        metrics.Asked("127.0.0.1:443", null); // refused
        using (await slots.EnterAsync(One, CancellationToken.None))
        {
            var waiting = slots.EnterAsync(One, CancellationToken.None);
            listener.RecordObservableInstruments();
            Assert.Equal((1, 1), (values[("queuescale.outbound.in_use", One)], values[("queuescale.outbound.waiting", One)]));
            Assert.Equal((1, 2), (values[("queuescale.outbound.requests", One)], values[("queuescale.outbound", One)]));
            Assert.Equal(1, values[("queuescale.outbound.requests", "_other")]);
            Assert.False(values.ContainsKey(("queuescale.outbound", "_other")));
            _ = waiting.ContinueWith(entered => entered.Result.Dispose(), TaskScheduler.Default);
        }

        for (var i = 0; i < 100; i++)
        {
            metrics.Asked($"host-{i}.test:443", TimeSpan.Zero);
        }

        listener.RecordObservableInstruments();
        Assert.Equal(2, values.Keys.Select(key => key.Host).Distinct().Count());

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (ReferenceEquals(instrument.Meter, metrics.Meter)) values[(instrument.Name, (string)tags[0].Value!)] = value;
        }
    }

    [Theory]
    [InlineData("files.internal", "files.internal:443")]
    [InlineData("Files.Internal:8443", "files.internal:8443")]
    [InlineData("10.0.0.7", "10.0.0.7:443")]
    [InlineData("[::1]:8443", "::1:8443")]
    [InlineData("https://files.internal", null)]
    [InlineData("files.internal/", null)]
    [InlineData("*.internal", null)]
    [InlineData("10.0.0.0/8", null)]
    [InlineData("user@files.internal", null)]
    [InlineData("files internal", null)]
    [InlineData("files.internal:x", null)]
    [InlineData(":8443", null)]
    [InlineData("", null)]
    public void An_allowed_host_is_a_host_with_or_without_a_port(string entry, string? read)
    {
        Assert.Equal(read, OutboundUrl.HostOf(entry));
        var options = new OutboundOptions { AllowedHosts = { entry } };
        Assert.Equal(read is not null, Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true));
    }

    [Theory]
    [InlineData("file:x.csv", true)]
    [InlineData("file:../x.csv", false)]
    [InlineData("https://files.test/x.csv", true)]
    [InlineData("https://files.test", true)]
    [InlineData("https://files.test:8443/a/b.csv?c=d@e&f=%20", true)]
    [InlineData("https://[2606:4700::1111]/x.csv", true)]
    [InlineData("http://files.test/x.csv", false)]
    [InlineData("HTTPS://files.test/x.csv", false)]
    [InlineData("https:///x.csv", false)]
    [InlineData("https://user@files.test/x.csv", false)]
    [InlineData("https://files.test/x.csv#part", false)]
    [InlineData("https://files.test/a b", false)]
    [InlineData("https://files.test\\x", false)]
    [InlineData("ftp://files.test/x.csv", false)]
    [InlineData("x.csv", false)]
    public void A_submission_is_told_which_sources_cannot_be(string source, bool fits)
    {
        var pattern = ((RegularExpressionAttribute)typeof(CsvImportInput).GetProperty("Source")!.GetCustomAttributes(typeof(RegularExpressionAttribute), false).Single()).Pattern;
        Assert.Equal(fits, Regex.IsMatch(source, pattern, RegexOptions.None, TimeSpan.FromSeconds(1)));
    }
}
