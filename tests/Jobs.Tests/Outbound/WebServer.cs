using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace QueueScale.Jobs.Tests;

/// <summary>The internet as a test sees it: names of its own, and whatever address is connected to, this https server answers.</summary>
public sealed class WebServer : IAsyncLifetime
{
    public const string PublicAddress = "93.184.215.14";

    /// <summary>Nobody answers there.</summary>
    public const string DeadAddress = "93.184.215.15";

    private readonly List<(string Url, string Range, string IfRange)> requests = [];
    private readonly List<IPEndPoint> connected = [];
    private readonly X509Certificate2 certificate = NewCertificate();
    private WebApplication? app;
    private int port;

    /// <summary>Addresses of names; a list for a name that changes with each look.</summary>
    public Dictionary<string, Func<IPAddress[]>> Names { get; } = new()
    {
        ["files.test"] = () => [IPAddress.Parse(PublicAddress)],
        ["other.test"] = () => [IPAddress.Parse(PublicAddress)],
        ["unnamed.test"] = () => [IPAddress.Parse(PublicAddress)], // not in the certificate
    };

    /// <summary>What it answers.</summary>
    public RequestDelegate Answer { get; set; } = _ => Task.CompletedTask;

    /// <summary>What it was asked, and under which conditions.</summary>
    public IReadOnlyList<(string Url, string Range, string IfRange)> Requests
    {
        get { lock (requests) return [.. requests]; }
    }

    /// <summary>The addresses that were connected to.</summary>
    public IReadOnlyList<IPEndPoint> Connected
    {
        get { lock (connected) return [.. connected]; }
    }

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        app = builder.Build();
        app.Run(context =>
        {
            lock (requests) requests.Add(($"{context.Request.Host}{context.Request.Path}", context.Request.Headers.Range.ToString(), context.Request.Headers.IfRange.ToString()));
            return Answer(context);
        });
        await app.StartAsync();
        port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
    }

    public async ValueTask DisposeAsync()
    {
        if (app is not null) await app.DisposeAsync();
        certificate.Dispose();
    }

    /// <summary>Forgets what was asked, and answers anew.</summary>
    public void Begin(RequestDelegate answer)
    {
        Answer = answer;
        lock (requests) requests.Clear();
        lock (connected) connected.Clear();
    }

    /// <summary>Answers a file, with parts of it where they are asked for.</summary>
    public static RequestDelegate File(string text, string? tag = null, DateTimeOffset? modified = null, bool parts = true) => context => Results.Bytes(
        Encoding.UTF8.GetBytes(text), "text/csv", enableRangeProcessing: parts, lastModified: modified, entityTag: tag is null ? null : Microsoft.Net.Http.Headers.EntityTagHeaderValue.Parse(tag)).ExecuteAsync(context);

    public static RequestDelegate Status(int status) => context =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    /// <summary>A client to this internet.</summary>
    internal Outbound Outbound(Action<OutboundOptions>? with = null, bool trusted = true, int? onPort = null)
    {
        var options = new OutboundOptions();
        with?.Invoke(options);
        return new Outbound(
            options,
            (name, stop) => Names.TryGetValue(name, out var addresses) ? Task.FromResult(addresses()) : name == "localhost" ? Dns.GetHostAddressesAsync(name, stop) : throw new SocketException((int)SocketError.HostNotFound),
            async (address, stop) =>
            {
                lock (connected) connected.Add(address);
                if (address.Address.ToString() == DeadAddress) throw new SocketException((int)SocketError.NetworkUnreachable);
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, onPort ?? port, stop);
                return new NetworkStream(socket, ownsSocket: true);
            },
            trusted ? [certificate] : null);
    }

    /// <summary>Answers one connection with these bytes and closes it, as no proper server would.</summary>
    /// <returns>The port.</returns>
    internal int AnswerOnceWith(string response, X509Certificate2? other = null)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = Task.Run(async () =>
        {
            using (listener)
            using (var client = await listener.AcceptTcpClientAsync())
            await using (var tls = new SslStream(client.GetStream()))
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(other ?? certificate, null, offline: true) });
                _ = await tls.ReadAsync(new byte[4096]);
                await tls.WriteAsync(Encoding.ASCII.GetBytes(response));
            }
        });
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A certificate of an issuer that nobody knows, which says where to fetch the issuer's.</summary>
    internal static X509Certificate2 CertificateWithIssuerAt(Uri address)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256), issuersKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=files.test", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(ocspUris: null, caIssuersUris: [address.AbsoluteUri]));
        using var made = request.Create(new X500DistinguishedName("CN=unknown"), X509SignatureGenerator.CreateForECDsa(issuersKey), DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1), [1]);
        using var withKey = made.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);
    }

    private static X509Certificate2 NewCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=files.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("files.test");
        names.AddDnsName("other.test");
        names.AddDnsName("twice.test");
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
