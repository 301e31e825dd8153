using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;
using QueueScale.Cache;

namespace QueueScale.Api;

/// <summary>Counts the requests of each key, minute by minute from its first one on, and refuses those above the limit: at all APIs together where Redis answers, at this one where it does not.</summary>
internal sealed class RateLimit(IOptions<ApiOptions> options, TimeProvider clock, RequestCounts? shared = null)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Counter> counters = [];

    /// <summary>Counts a request and tells its caller how many are left.</summary>
    /// <exception cref="Refusal">429: there are none left.</exception>
    public async Task CountAsync(Caller caller, HttpContext context)
    {
        if (options.Value.RequestsPerMinute is not { } most)
        {
            return;
        }

        var (requests, left) = counters.GetOrAdd(caller.Key, _ => new Counter()).Next(clock); // also where Redis answers: it may be gone at the next one
        if (shared is not null && await shared.CountAsync(caller.Key, Window) is { } ofAll)
        {
            (requests, left) = ofAll;
        }

        var seconds = Math.Max(1, (long)Math.Ceiling(left.TotalSeconds));
        var headers = context.Response.Headers;
        headers["RateLimit-Limit"] = most.ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Remaining"] = Math.Max(0, most - requests).ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Reset"] = seconds.ToString(CultureInfo.InvariantCulture);
        if (requests > most)
        {
            throw new Refusal(429, "rate-limited", "The key has made too many requests.",
                $"A key may make {most} requests a minute (Api:RequestsPerMinute); they are counted anew in {seconds} s. Nothing was done. Submit in batches, and watch jobs instead of asking for them again and again.")
            {
                RetryAfter = TimeSpan.FromSeconds(seconds),
            };
        }
    }

    private sealed class Counter
    {
        private readonly Lock turn = new();
        private long begunAt;
        private long requests;

        public (long Requests, TimeSpan Left) Next(TimeProvider clock)
        {
            lock (turn)
            {
                var now = clock.GetTimestamp();
                if (requests == 0 || clock.GetElapsedTime(begunAt, now) >= Window)
                {
                    (begunAt, requests) = (now, 0);
                }

                return (++requests, Window - clock.GetElapsedTime(begunAt, now));
            }
        }
    }
}
