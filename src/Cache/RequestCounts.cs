using StackExchange.Redis;

namespace QueueScale.Cache;

/// <summary>How many requests each key has made at all APIs together, in Redis.</summary>
public sealed class RequestCounts(RedisLink link)
{
    private const string Count = """
        local count = redis.call('INCR', KEYS[1])
        local left = redis.call('PTTL', KEYS[1])
        if left < 0 then
          redis.call('PEXPIRE', KEYS[1], ARGV[1])
          left = tonumber(ARGV[1])
        end
        return {count, left}
        """;

    /// <summary>Counts one request more.</summary>
    /// <param name="key">The id of the key that made it.</param>
    /// <param name="window">How long requests are counted together, from the first one on.</param>
    /// <returns>The requests of this window with this one, and when it ends; null when Redis does not answer.</returns>
    public async Task<(long Requests, TimeSpan Left)?> CountAsync(string key, TimeSpan window) =>
        await link.AskAsync(Count, [$"queuescale:requests:{key}"], (long)window.TotalMilliseconds) is { } answer && (long[]?)answer is [var requests, var left]
            ? (requests, TimeSpan.FromMilliseconds(left))
            : null;
}
