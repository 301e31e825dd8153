using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;

namespace QueueScale.Api;

/// <summary>Counts the requests of each key, minute by minute, and refuses those above the limit.</summary>
internal sealed class RateLimit(IOptions<ApiOptions> options, TimeProvider clock)
{
    private static readonly long Minute = TimeSpan.TicksPerMinute;

    private readonly ConcurrentDictionary<string, Counter> counters = [];

    /// <summary>Counts a request and tells its caller how many are left.</summary>
    /// <exception cref="Refusal">429: there are none left.</exception>
    public void Count(Caller caller, HttpContext context)
    {
        if (options.Value.RequestsPerMinute is not { } most)
        {
            return;
        }

        var now = clock.GetUtcNow().Ticks;
        var counted = counters.GetOrAdd(caller.Key, _ => new Counter()).Next(now / Minute);
        var seconds = (Minute - now % Minute + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond;
        var headers = context.Response.Headers;
        headers["RateLimit-Limit"] = most.ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Remaining"] = Math.Max(0, most - counted).ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Reset"] = seconds.ToString(CultureInfo.InvariantCulture);
        if (counted > most)
        {
            throw new Refusal(429, "rate-limited", "The key has made too many requests.",
                $"A key may make {most} requests a minute to each API (Api:RequestsPerMinute); the next minute begins in {seconds} s. Nothing was done. Submit in batches, and watch jobs instead of asking for them again and again.")
            {
                RetryAfter = TimeSpan.FromSeconds(seconds),
            };
        }
    }

    private sealed class Counter
    {
        private readonly Lock turn = new();
        private long minute;
        private int count;

        public int Next(long now)
        {
            lock (turn)
            {
                (minute, count) = now == minute ? (minute, count + 1) : (now, 1);
                return count;
            }
        }
    }
}
