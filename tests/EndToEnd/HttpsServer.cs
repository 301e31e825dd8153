using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace QueueScale.Tests;

/// <summary>An https server on this machine, whose certificate a process trusts that is given its <see cref="Settings"/>.</summary>
internal sealed class HttpsServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly string certificateFile;

    private HttpsServer(WebApplication app, string certificateFile) => (this.app, this.certificateFile) = (app, certificateFile);

    public int Port => new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    /// <summary>Has a worker trust the certificate, and lets it ask this machine.</summary>
    public (string Key, string? Value)[] Settings => [("SSL_CERT_FILE", certificateFile), ("Jobs__Outbound__AllowedHosts__0", $"localhost:{Port}")];

    public static async Task<HttpsServer> StartAsync(string folder, RequestDelegate answer)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var file = Path.Combine(folder, "https.pem");
        await File.WriteAllTextAsync(file, made.ExportCertificatePem());

        var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return new HttpsServer(app, file);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
