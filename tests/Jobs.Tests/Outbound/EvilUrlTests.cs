using System.Net;
using Microsoft.AspNetCore.Http;

namespace QueueScale.Jobs.Tests;

/// <summary>Addresses that would turn a worker against the network it runs in. Each is refused with its reason, and nothing is connected to.</summary>
public sealed class EvilUrlTests(WebServer web) : IClassFixture<WebServer>
{
    public static TheoryData<string, string> Literals => new()
    {
        // loopback, in the spellings that programs understand
        { "https://127.0.0.1/x.csv", "loopback" },
        { "https://127.1/x.csv", "loopback" },
        { "https://127.255.255.254/x.csv", "loopback" },
        { "https://2130706433/x.csv", "loopback" },
        { "https://0x7f000001/x.csv", "loopback" },
        { "https://0x7f.0x0.0x0.0x1/x.csv", "loopback" },
        { "https://0177.0.0.1/x.csv", "loopback" },
        { "https://017700000001/x.csv", "loopback" },
        { "https://127.0.0.1:443/x.csv", "loopback" },
        { "https://[::1]/x.csv", "loopback" },
        { "https://[0:0:0:0:0:0:0:1]/x.csv", "loopback" },
        { "https://[::ffff:127.0.0.1]/x.csv", "loopback" },
        { "https://[::ffff:7f00:1]/x.csv", "loopback" },
        { "https://[::127.0.0.1]/x.csv", "old form" },
        { "https://[64:ff9b::127.0.0.1]/x.csv", "loopback" },
        { "https://localhost/x.csv", "loopback" },
        // this network, unspecified
        { "https://0.0.0.0/x.csv", "this network" },
        { "https://0/x.csv", "this network" },
        { "https://[::]/x.csv", "unspecified" },
        { "https://[::ffff:0.0.0.0]/x.csv", "this network" },
        // private
        { "https://10.0.0.1/x.csv", "private" },
        { "https://167772161/x.csv", "private" },
        { "https://172.16.0.1/x.csv", "private" },
        { "https://172.31.255.255/x.csv", "private" },
        { "https://192.168.1.1/x.csv", "private" },
        { "https://0300.0250.1.1/x.csv", "private" },
        { "https://[::ffff:192.168.1.1]/x.csv", "private" },
        { "https://[64:ff9b::10.0.0.1]/x.csv", "private" },
        { "https://[64:ff9b:1::a00:1]/x.csv", "private NAT64" },
        { "https://[fd00::1]/x.csv", "private" },
        { "https://[fc00::1]/x.csv", "private" },
        { "https://[fec0::1]/x.csv", "private" },
        { "https://100.64.0.1/x.csv", "CGNAT" },
        { "https://100.127.255.255/x.csv", "CGNAT" },
        { "https://[::ffff:100.64.0.1]/x.csv", "CGNAT" },
        // what clouds tell their machines
        { "https://169.254.169.254/latest/meta-data/", "link-local" },
        { "https://0xa9fea9fe/latest/meta-data/", "link-local" },
        { "https://[::ffff:a9fe:a9fe]/latest/meta-data/", "link-local" },
        { "https://[fd00:ec2::254]/latest/meta-data/", "private" },
        { "https://100.100.100.200/latest/meta-data/", "CGNAT" },
        { "https://168.63.129.16/machine", "platform" },
        { "https://[fe80::1]/x.csv", "link-local" },
        { "https://[fe80::1%251]/x.csv", "link-local" },
        // tunnels to IPv4, and what nobody has
        { "https://[2002:7f00:1::]/x.csv", "6to4" },
        { "https://[2002:a00:1::]/x.csv", "6to4" },
        { "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/x.csv", "protocols" },
        { "https://192.0.0.8/x.csv", "protocols" },
        { "https://192.0.2.1/x.csv", "documentation" },
        { "https://198.18.0.1/x.csv", "benchmarks" },
        { "https://[2001:db8::1]/x.csv", "documentation" },
        { "https://[4000::1]/x.csv", "not public" },
        { "https://224.0.0.1/x.csv", "multicast" },
        { "https://[ff02::1]/x.csv", "multicast" },
        { "https://240.0.0.1/x.csv", "reserved" },
        { "https://255.255.255.255/x.csv", "reserved" },
    };

    public static TheoryData<string, string> Forms => new()
    {
        { "http://files.test/x.csv", "https://" },
        { "ftp://files.test/x.csv", "https://" },
        { "file:///etc/passwd", "https://" },
        { "gopher://files.test/x.csv", "https://" },
        { "//files.test/x.csv", "https://" },
        { "https:files.test/x.csv", "https://" },
        { "https:/files.test/x.csv", "https://" },
        { "https:///files.test/x.csv", "is none" },
        { "https://", "is none" },
        { "https://?x", "is none" },
        { "https://[::1/x.csv", "is none" },
        { "https://files.test:99999/x.csv", "is none" },
        { "https://user:secret@files.test/x.csv", "password" },
        { "https://files.test@127.0.0.1/x.csv", "password" },
        { "https://files.test%40127.0.0.1/x.csv", "" },
        { "https://files.test\\@127.0.0.1/x.csv", "backslash" },
        { "https://files.test\\x.csv", "backslash" },
        { "https://files.test/x .csv", "space" },
        { "https://files.test/x\r\nHost: evil", "control" },
        { "https://files.test\t/x.csv", "control" },
        { "https://files.test:22/x.csv", "only 443" },
        { "https://files.test:8443/x.csv", "only 443" },
        { "https://127.0.0.1:6379/x.csv", "only 443" },
        { "https://files.test:0/x.csv", "" },
    };

    [Theory]
    [MemberData(nameof(Literals))]
    public async Task An_address_that_is_not_public_is_refused(string url, string why)
    {
        var refused = await RefusedAsync(url);
        Assert.Equal("address_refused", refused.Code);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.Contains("Jobs:Outbound:AllowedHosts", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task What_is_not_plainly_https_on_its_own_port_is_refused(string url, string why)
    {
        var refused = await RefusedAsync(url);
        Assert.Equal(OutboundUrl.Code, refused.Code);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.1.2.3")]
    [InlineData("169.254.169.254")]
    [InlineData("::1")]
    [InlineData("fd00::1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("64:ff9b::a00:1")]
    [InlineData(WebServer.PublicAddress, "127.0.0.1")]
    [InlineData("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "fe80::1")]
    public async Task A_name_is_refused_when_any_of_its_addresses_is_not_public(params string[] addresses)
    {
        web.Names["inside.test"] = () => [.. addresses.Select(IPAddress.Parse)];
        Assert.Contains($"leads to {IPAddress.Parse(addresses[^1])}", (await RefusedAsync("https://inside.test/x.csv")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_resolved_once_and_the_address_that_was_checked_is_connected_to()
    {
        var looks = 0;
        web.Names["files.test"] = () => [IPAddress.Parse(looks++ == 0 ? WebServer.PublicAddress : "127.0.0.1")];
        try
        {
            web.Begin(WebServer.File("a\n"));
            using var outbound = web.Outbound();
            using (await outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None)) { }

            Assert.Equal(1, looks);
            Assert.Equal([new IPEndPoint(IPAddress.Parse(WebServer.PublicAddress), 443)], web.Connected);
            await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None)); // no connection is kept
        }
        finally
        {
            web.Names["files.test"] = () => [IPAddress.Parse(WebServer.PublicAddress)];
        }
    }

    [Fact]
    public async Task The_next_address_of_a_name_is_tried_where_one_does_not_answer()
    {
        web.Names["twice.test"] = () => [IPAddress.Parse(WebServer.DeadAddress), IPAddress.Parse(WebServer.PublicAddress)];
        web.Begin(WebServer.File("a\n"));
        using var outbound = web.Outbound();
        using (await outbound.GetAsync("https://twice.test/x.csv", _ => { }, CancellationToken.None)) { }

        Assert.Equal([WebServer.DeadAddress, WebServer.PublicAddress], web.Connected.Select(address => address.Address.ToString()));
        web.Names["twice.test"] = () => [IPAddress.Parse(WebServer.DeadAddress)];
        await Assert.ThrowsAsync<OutboundFailed>(() => outbound.GetAsync("https://twice.test/x.csv", _ => { }, CancellationToken.None));
    }

    [Theory]
    [InlineData("https://127.0.0.1/", "address_refused")]
    [InlineData("https://2130706433/", "address_refused")]
    [InlineData("https://[::ffff:169.254.169.254]/", "address_refused")]
    [InlineData("https://localhost/", "address_refused")]
    [InlineData("//127.0.0.1/x.csv", "address_refused")]
    [InlineData("http://other.test/x.csv", "url_refused")]
    [InlineData("file:///etc/passwd", "url_refused")]
    [InlineData("ftp://other.test/x.csv", "url_refused")]
    [InlineData("javascript:alert(1)", "url_refused")]
    [InlineData("https://other.test:8443/x.csv", "url_refused")]
    [InlineData("https://user:secret@other.test/x.csv", "url_refused")]
    [InlineData("https://other.test\\@127.0.0.1/x.csv", "")]
    public async Task A_redirect_leads_no_further_than_an_input_may(string location, string code)
    {
        web.Begin(context =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = location;
            return Task.CompletedTask;
        });
        using var outbound = web.Outbound();
        var refused = await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://files.test/x.csv", _ => { }, CancellationToken.None));
        Assert.Contains(code, refused.Code, StringComparison.Ordinal);
        Assert.All(web.Connected, address => Assert.Equal(WebServer.PublicAddress, address.Address.ToString()));
        Assert.All(web.Requests, request => Assert.DoesNotContain("127.0.0.1", request.Url, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Five_redirects_are_followed_and_no_more()
    {
        web.Begin(context =>
        {
            var left = int.Parse(context.Request.Query["left"].ToString(), System.Globalization.CultureInfo.InvariantCulture);
            if (left > 0) context.Response.Redirect($"https://{(left % 2 == 0 ? "files.test" : "other.test")}/x.csv?left={left - 1}");
            return Task.CompletedTask;
        });
        using var outbound = web.Outbound();
        using (var answer = await outbound.GetAsync("https://files.test/x.csv?left=5", _ => { }, CancellationToken.None))
        {
            Assert.Equal(200, (int)answer.Response.StatusCode);
        }

        Assert.Equal(6, web.Requests.Count);
        var refused = await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://files.test/x.csv?left=6", _ => { }, CancellationToken.None));
        Assert.Equal("too_many_redirects", refused.Code);
        Assert.DoesNotContain("left=", refused.Message, StringComparison.Ordinal); // a query may be a secret
    }

    [Theory]
    [InlineData("inside.test", "https://inside.test/x.csv")]
    [InlineData("inside.test:8443", "https://inside.test:8443/x.csv")]
    [InlineData("INSIDE.test:8443", "https://inside.TEST:8443/x.csv")]
    public async Task An_allowed_host_may_be_inside_and_nothing_else_that_is_there(string allowed, string url)
    {
        web.Names["inside.test"] = web.Names["beside.test"] = () => [IPAddress.Loopback];
        web.Begin(_ => Task.CompletedTask);
        using var outbound = web.Outbound(options => options.AllowedHosts.Add(allowed));

        // It is connected to, and has no certificate of that name.
        Assert.Equal("certificate_refused", (await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync(url, _ => { }, CancellationToken.None))).Code);
        Assert.Single(web.Connected);
        foreach (var other in (string[])["https://beside.test/x.csv", "https://127.0.0.1/x.csv", "https://inside.test:9443/x.csv", "https://files.test:8443/x.csv"])
        {
            await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync(other, _ => { }, CancellationToken.None));
        }

        Assert.Single(web.Connected);
    }

    [Fact]
    public async Task An_allowed_host_is_allowed_with_its_port_alone()
    {
        web.Names["inside.test"] = () => [IPAddress.Loopback];
        web.Begin(_ => Task.CompletedTask);
        using var outbound = web.Outbound(options => options.AllowedHosts.Add("inside.test:8443"));
        var refused = await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync("https://inside.test/x.csv", _ => { }, CancellationToken.None));
        Assert.Equal(("address_refused", 0), (refused.Code, web.Connected.Count));
    }

    [Theory]
    [InlineData("https://unnamed.test/x.csv", true)]
    [InlineData("https://files.test/x.csv", false)]
    public async Task A_certificate_must_be_of_the_name_and_of_a_trusted_issuer(string url, bool trusted)
    {
        web.Begin(WebServer.File("a\n"));
        using var outbound = web.Outbound(trusted: trusted);
        var refused = await Assert.ThrowsAsync<OutboundRefused>(() => outbound.GetAsync(url, _ => { }, CancellationToken.None));
        Assert.Equal("certificate_refused", refused.Code);
        Assert.Contains("SSL_CERT_FILE", refused.Message, StringComparison.Ordinal);
        Assert.Empty(web.Requests);
    }

    [Theory]
    [InlineData(WebServer.PublicAddress)]
    [InlineData("1.1.1.1")]
    [InlineData("11.0.0.1")]
    [InlineData("100.63.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("2606:4700::1111")]
    [InlineData("64:ff9b::101:101")]
    [InlineData("::ffff:1.1.1.1")]
    public void A_public_address_is_not_refused(string address) => Assert.Null(PublicAddress.WhyNot(IPAddress.Parse(address)));

    private async Task<OutboundRefused> RefusedAsync(string url)
    {
        web.Begin(WebServer.File("secret\n"));
        using var outbound = web.Outbound();
        var refused = await Assert.ThrowsAsync<OutboundRefused>(async () => (await outbound.GetAsync(url, _ => { }, CancellationToken.None)).Dispose());
        Assert.Empty(web.Connected);
        return refused;
    }
}
