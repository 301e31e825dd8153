using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace QueueScale.Api;

/// <summary>Lets requests under /v1 pass that carry a key, and tells them whose they are.</summary>
internal sealed class Auth(RequestDelegate next, IOptions<AuthOptions> options)
{
    /// <summary>The tenant of the bootstrap key.</summary>
    private const int FirstTenant = 1;

    private const string Scheme = "Bearer ";

    private readonly byte[] bootstrap = Hash(options.Value.BootstrapKey);

    public Task InvokeAsync(HttpContext context)
    {
        if (!context.Request.Path.StartsWithSegments("/v1"))
        {
            return next(context);
        }

        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || !CryptographicOperations.FixedTimeEquals(Hash(header[Scheme.Length..].Trim()), bootstrap))
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            throw new Refusal(401, "unauthorized", "A key is needed.", "Send the header 'Authorization: Bearer qs_…' with a key that is valid here.");
        }

        context.Items[typeof(Auth)] = FirstTenant;
        return next(context);
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>Whose request it is.</summary>
internal static class Caller
{
    public static int Tenant(this HttpContext context) => (int)context.Items[typeof(Auth)]!;
}
