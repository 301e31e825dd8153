using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace QueueScale.Api;

/// <summary>Lets requests under /v1 pass that carry a key, and tells them whose they are.</summary>
internal sealed class Auth(RequestDelegate next, KeyBook book, RateLimit limit, IOptions<AuthOptions> options)
{
    private const string Scheme = "Bearer ";

    private readonly byte[]? bootstrap = options.Value.BootstrapKey is { } key ? KeyText.HashOf(key) : null;

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.Request.Path.StartsWithSegments("/v1"))
        {
            var caller = await CallerAsync(context.Request.Headers.Authorization.ToString()) ?? Caller.Of(context);
            if (caller is null)
            {
                context.Response.Headers.WWWAuthenticate = "Bearer";
                throw new Refusal(401, "unauthorized", "A key is needed.", "Send the header 'Authorization: Bearer qs_…' with a key that is valid here.");
            }

            caller.Enter(context);
            await limit.CountAsync(caller, context);
        }

        await next(context);
    }

    private async Task<Caller?> CallerAsync(string header)
    {
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var text = header[Scheme.Length..].Trim();
        if (bootstrap is not null && CryptographicOperations.FixedTimeEquals(KeyText.HashOf(text), bootstrap))
        {
            return Caller.Bootstrap;
        }

        if (KeyText.Read(text) is not { } key || await book.FindAsync(key.Id) is not { IsLive: true } known || !CryptographicOperations.FixedTimeEquals(key.Hash, known.Hash))
        {
            return null;
        }

        book.NoteUse(key.Id);
        return new Caller(known.Tenant, key.Id, known.Scopes, known.ExpiresAt);
    }
}
