using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>The one way by which jobs fetch from other machines. Whoever submits a job names the address, so it cannot be turned against the network that the
/// worker runs in: https alone, public addresses alone, everything bounded.</summary>
/// <remarks>A name is resolved when its connection is opened, all its addresses are checked, and one of those is connected to: it cannot mean another address a
/// moment later. No connection is used twice, no proxy, no cookie. Exceptions are those of <see cref="OutboundOptions.AllowedHosts"/>.</remarks>
public sealed class Outbound : IDisposable
{
    private const int MostRedirects = 5;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AddressPatience = TimeSpan.FromSeconds(3); // where a host has another address to try
    private static readonly TimeSpan SlotPatience = TimeSpan.FromSeconds(5); // a run that waits holds a slot of the worker, and a drain waits for it

    private readonly OutboundOptions options;
    private readonly Func<string, CancellationToken, Task<IPAddress[]>> resolve;
    private readonly Func<IPEndPoint, CancellationToken, Task<Stream>> connect;
    private readonly HashSet<string> allowedHosts;
    private readonly HostSlots slots;
    private readonly OutboundMetrics metrics;
    private readonly HttpMessageInvoker http;

    /// <summary>Creates the one of a worker process.</summary>
    public Outbound(IOptions<JobsOptions> options) : this(options.Value.Outbound, Dns.GetHostAddressesAsync, ConnectAsync, roots: null) { }

    /// <param name="options">What is allowed.</param>
    /// <param name="resolve">The addresses of a name.</param>
    /// <param name="connect">Connects to an address that was checked.</param>
    /// <param name="roots">Whose certificates are believed; null for those that the machine believes.</param>
    internal Outbound(
        OutboundOptions options, Func<string, CancellationToken, Task<IPAddress[]>> resolve, Func<IPEndPoint, CancellationToken, Task<Stream>> connect, X509Certificate2Collection? roots)
    {
        (this.options, this.resolve, this.connect) = (options, resolve, connect);
        allowedHosts = [.. options.AllowedHosts.Select(entry => OutboundUrl.HostOf(entry)!)];
        slots = new HostSlots(options.MaxPerHost, SlotPatience);
        metrics = new OutboundMetrics(slots, allowedHosts);
        // A certificate may name an address where its issuer's lies, which would be fetched unchecked. Servers send what is needed themselves.
        var trust = new X509ChainPolicy { DisableCertificateDownloads = true, RevocationMode = X509RevocationMode.NoCheck };
        if (roots is not null)
        {
            trust.TrustMode = X509ChainTrustMode.CustomRootTrust;
            trust.CustomTrustStore.AddRange(roots);
        }


#pragma warning disable CA2000 // the invoker disposes it
        http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectCallback = async (context, stop) => await ConnectCheckedAsync(context.DnsEndPoint, stop),
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust },
            ConnectTimeout = ConnectTimeout,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.Zero,
            MaxResponseDrainSize = 0,
            ActivityHeadersPropagator = null, // strangers learn nothing of our traces, and no span says what address a caller has named
        });
#pragma warning restore CA2000
    }

    /// <summary>Asks for a file, following redirects.</summary>
    /// <param name="address">As a person gave it.</param>
    /// <param name="prepare">Adds headers to each request.</param>
    /// <param name="stop">Ends the asking; each reading has its own.</param>
    /// <returns>The answer, whatever its status; to be disposed, which gives the host's slot back.</returns>
    /// <exception cref="OutboundRefused">It must not be asked, or the answer can never be used.</exception>
    /// <exception cref="OutboundFailed">It could not be asked now.</exception>
    /// <exception cref="RetryLater">Too many requests to the host are under way.</exception>
    internal async Task<OutboundAnswer> GetAsync(string address, Action<HttpRequestMessage> prepare, CancellationToken stop)
    {
        var url = OutboundUrl.Parse(address, allowedHosts);
        for (var redirects = 0; ; redirects++)
        {
            var host = OutboundUrl.HostOf(url);
            var slot = await slots.EnterAsync(host, stop);
            HttpResponseMessage? response = null;
            try
            {
                response = await SendAsync(url, prepare, stop);
                if (LocationOf(response) is not { } location)
                {
                    MustBeUsable(url, response);
                    var body = new OutboundBody(await response.Content.ReadAsStreamAsync(stop), host, response.Content.Headers, options.MaxBytes, options.MaxSilence);
                    return new OutboundAnswer(url, response, body, slot);
                }

                url = OutboundUrl.Follow(url, location, allowedHosts);
            }
            catch
            {
                response?.Dispose();
                slot.Dispose();
                throw;
            }

            response.Dispose();
            slot.Dispose();
            if (redirects == MostRedirects) throw new OutboundRefused($"There are more than {MostRedirects} redirects, the last to {OutboundUrl.Shown(url)}. Give the address of the file itself.", "too_many_redirects");
        }
    }

    public void Dispose()
    {
        http.Dispose();
        metrics.Dispose();
    }

    private async Task<HttpResponseMessage> SendAsync(Uri url, Action<HttpRequestMessage> prepare, CancellationToken stop)
    {
        var (host, shown) = (OutboundUrl.HostOf(url), OutboundUrl.Shown(url));
        using var request = new HttpRequestMessage(HttpMethod.Get, url) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.UserAgent.ParseAdd("QueueScale");
        request.Headers.AcceptEncoding.ParseAdd("identity"); // positions and lengths are those of the file
        prepare(request);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        deadline.CancelAfter(options.AnswerWithin);
        var began = TimeProvider.System.GetTimestamp();
        TimeSpan? answeredAfter = null;
        try
        {
            var response = await http.SendAsync(request, deadline.Token);
            answeredAfter = TimeProvider.System.GetElapsedTime(began);
            return response;
        }
        catch (HttpRequestException error) when (error.InnerException is OutboundRefused or OutboundFailed)
        {
            ExceptionDispatchInfo.Throw(error.InnerException);
            throw;
        }
        catch (HttpRequestException error) when (error.InnerException is AuthenticationException bad)
        {
            throw new OutboundRefused(
                $"The certificate of {host} is not accepted: {bad.Message} Correct it, or let the workers trust who issued it (SSL_CERT_FILE or SSL_CERT_DIR in their environment).", "certificate_refused");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new OutboundFailed($"{shown} was not answered in time. It is asked again; if it always takes longer than {options.AnswerWithin.TotalSeconds:0.###} seconds, raise Jobs:Outbound:AnswerWithin on the workers.");
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw new OutboundFailed($"{shown} could not be asked: {error.Message} It is asked again; if that never helps, look at that server.", error);
        }
        finally
        {
            metrics.Asked(host, answeredAfter);
        }
    }

    private static string? LocationOf(HttpResponseMessage response) =>
        (int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.NonValidated.TryGetValues("Location", out var locations) ? locations.ToString() : null;

    private void MustBeUsable(Uri url, HttpResponseMessage response)
    {
        var headers = response.Content.Headers;
        if ((int)response.StatusCode is not (200 or 206)) return;
        if (headers.ContentEncoding.Any(coding => !coding.Equals("identity", StringComparison.OrdinalIgnoreCase)))
        {
            throw new OutboundRefused($"{OutboundUrl.Shown(url)} is sent as {Excerpt.Of(string.Join(", ", headers.ContentEncoding))} although it was asked for as it is. Have that server send it plain.", "source_encoded");
        }

        if (headers.ContentLength > options.MaxBytes) throw OutboundBody.TooLarge(OutboundUrl.HostOf(url), options.MaxBytes);
        if (headers.ContentLength is null && response.Headers.TransferEncodingChunked != true)
        {
            throw new OutboundRefused($"{OutboundUrl.Shown(url)} has neither a length nor chunks, so that nobody could tell its end from a broken connection. Have that server send Content-Length.", "source_endless");
        }
    }

    /// <summary>Connects to a host by an address that was checked.</summary>
    private async Task<Stream> ConnectCheckedAsync(DnsEndPoint host, CancellationToken stop)
    {
        var name = host.Host;
        var addresses = await AddressesAsync(name, stop);
        if (!allowedHosts.Contains($"{name}:{host.Port}"))
        {
            foreach (var address in addresses)
            {
                if (PublicAddress.WhyNot(address) is not { } what) continue;
                var leads = address.ToString() == name ? $"{name} is" : $"{name} leads to {address}, which is";
                throw new OutboundRefused(
                    $"{leads} no public address ({what}). Put the file where it has one, or set Jobs:Outbound:AllowedHosts to {name}:{host.Port} on the workers.", "address_refused");
            }
        }

        for (var i = 0; ; i++)
        {
            var isLast = i + 1 == addresses.Length;
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(stop);
            if (!isLast) attempt.CancelAfter(AddressPatience);
            try
            {
                return await connect(new IPEndPoint(addresses[i], host.Port), attempt.Token);
            }
            catch (Exception error) when (!isLast && !stop.IsCancellationRequested && error is SocketException or OperationCanceledException) { } // the next may answer
        }
    }

    private async Task<IPAddress[]> AddressesAsync(string name, CancellationToken stop)
    {
        if (IPAddress.TryParse(name, out var literal)) return [literal];
        try
        {
            var addresses = await resolve(name, stop);
            return addresses.Length > 0 ? addresses : throw new SocketException((int)SocketError.NoData);
        }
        catch (Exception error) when (error is SocketException or ArgumentException)
        {
            throw new OutboundFailed($"The host {Excerpt.Of(name)} has no address ({error.Message}). Correct it if it is wrong; else see that the workers can resolve it.", error);
        }
    }

    private static async Task<Stream> ConnectAsync(IPEndPoint address, CancellationToken stop)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>What a host answered, and its slot.</summary>
/// <param name="Url">Where the redirects led.</param>
/// <param name="Response">Status and headers.</param>
/// <param name="Body">The file.</param>
/// <param name="Slot">Given back in the end.</param>
internal sealed record OutboundAnswer(Uri Url, HttpResponseMessage Response, OutboundBody Body, IDisposable Slot) : IDisposable
{
    public void Dispose()
    {
        Body.Dispose();
        Response.Dispose();
        Slot.Dispose();
    }
}
