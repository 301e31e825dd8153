using System.Text.Json;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>What a call asks of its caller's key.</summary>
internal sealed record NeededScope(KeyScope Scope);

/// <summary>Lets a request pass whose key has the scope that the call needs.</summary>
internal static class Scopes
{
    /// <summary>Says which scope a call needs. Every call under /v1 says it.</summary>
    public static RouteHandlerBuilder Needs(this RouteHandlerBuilder route, KeyScope scope) => route.WithMetadata(new NeededScope(scope)).TellsScope(Name(scope)).ProducesProblems(403);

    public static Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (Caller.Of(context) is { } caller && context.GetEndpoint() is RouteEndpoint call)
        {
            var needed = call.Metadata.GetMetadata<NeededScope>()?.Scope ?? throw new InvalidOperationException($"{call.DisplayName} does not say which scope it needs.");
            if (!caller.Scopes.Contains(needed))
            {
                throw new Refusal(403, "forbidden", "The key does not allow this.",
                    $"It needs the scope {Name(needed)}; this key has {string.Join(", ", caller.Scopes.Select(Name))}. Use another key, or have one made with this scope.");
            }
        }

        return next(context);
    }

    /// <summary>As JSON has it.</summary>
    public static string Name(KeyScope scope) => JsonNamingPolicy.CamelCase.ConvertName(scope.ToString());
}
