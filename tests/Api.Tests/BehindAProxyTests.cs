using System.Diagnostics;
using System.Net;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>What an API does for the proxy in front of it and the container around it.</summary>
public sealed class BehindAProxyTests(Stage stage) : IClassFixture<Stage>, IAsyncDisposable
{
    private readonly HttpClient http = new();

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await stage.StopAllAsync();
    }

    [Theory]
    [InlineData("none", null, "127.0.0.1")]
    [InlineData("other", "10.0.0.0/8", "127.0.0.1")]
    [InlineData("address", "127.0.0.1", "203.0.113.7")]
    [InlineData("network", "127.0.0.0/8", "203.0.113.7")]
    public async Task A_forwarded_address_is_believed_from_a_configured_proxy_only(string called, string? trusted, string caller)
    {
        var api = await stage.StartApiAsync(called, settings: trusted is null ? [] : [("Api__TrustedProxies__0", trusted)]);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(api.Url, "v1/jobs")) { Headers = { { "X-Forwarded-Proto", "https" }, { "X-Forwarded-For", "203.0.113.7" } } };
        using var answer = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        var refused = Assert.Single(await File.ReadAllLinesAsync(stage.LogOf(called), TestContext.Current.CancellationToken), line => line.Contains("\"Id\":3003", StringComparison.Ordinal));
        Assert.Contains($"\"Caller\":\"{caller}\"", refused, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_API_that_drains_serves_on_closes_each_connection_after_its_answer_and_is_not_ready()
    {
        var api = await stage.StartApiAsync("draining", settings: ("Api__DrainDelay", "00:00:04"));
        using (var before = await http.GetAsync(new Uri(api.Url, "health/live")))
        {
            Assert.NotEqual(true, before.Headers.ConnectionClose);
        }

        Assert.Equal((0, ""), await CheckHealthAsync(api.Url));
        api.Process.Signal(Signal.Terminate);
        await Waiting.UntilAsync(async () => (await CheckHealthAsync(api.Url)).Code == 1);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(api.Url, "v1/queues")) { Headers = { { "Authorization", $"Bearer {Stage.Key}" } } };
        using var answer = await http.SendAsync(request);
        Assert.Equal((HttpStatusCode.OK, true), (answer.StatusCode, answer.Headers.ConnectionClose));
        Assert.Contains("draining", (await CheckHealthAsync(api.Url)).Error, StringComparison.Ordinal);
        Assert.Equal(0, await api.Process.WaitForExitAsync());
        Assert.Contains("does not answer", (await CheckHealthAsync(api.Url)).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://0.0.0.0:8443", "names no such address")]
    [InlineData("http://127.0.0.1:1;https://0.0.0.0:8443", "does not answer")]
    public async Task A_health_check_that_cannot_ask_says_why(string urls, string said)
    {
        var (code, error) = await CheckHealthAsync(urls);
        Assert.Equal(1, code);
        Assert.Contains(said, error, StringComparison.Ordinal);
    }

    private static Task<(int Code, string Error)> CheckHealthAsync(Uri address) => CheckHealthAsync(address.ToString());

    private static async Task<(int Code, string Error)> CheckHealthAsync(string urls)
    {
        var info = new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf(HostProcess.Api), HealthCall.Argument]) { RedirectStandardError = true };
        info.Environment["ASPNETCORE_URLS"] = urls;
        using var process = Process.Start(info)!;
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, error);
    }
}
