using Microsoft.AspNetCore.Http.Timeouts;

namespace QueueScale.Api;

/// <summary>A request that takes too long is answered, and whatever it waits for is given up.</summary>
internal static class RequestTimeout
{
    public static RequestTimeoutPolicy Policy(TimeSpan limit) => new()
    {
        Timeout = limit,
        WriteTimeoutResponse = context =>
        {
            SafeHeaders.Set(context);
            context.Response.Headers.Connection = "close"; // what is given up may go on for a moment
            throw new Refusal(503, "timed-out", "The request took too long.",
                $"It was given up after {limit.TotalSeconds} s (Api:RequestTimeout). Whether a write was done is unknown; a large body may have come too slowly.") { RetryAfter = TimeSpan.FromSeconds(1) };
        },
    };

    /// <summary>This request waits on purpose.</summary>
    public static void Lift(HttpContext context) => context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
}
