using System.Globalization;
using QueueScale.Contracts;
using StackExchange.Redis;

namespace QueueScale.Cache;

/// <summary>A job as somebody has read it.</summary>
/// <param name="Version">Of its row: another one after every change.</param>
/// <param name="State">Its state.</param>
/// <param name="Json">All of it, as it is shown.</param>
public sealed record JobSnapshot(uint Version, JobState State, ReadOnlyMemory<byte> Json);

/// <summary>What Redis knows of a job: a snapshot, or else a token for who reads the job now.</summary>
public readonly record struct SnapshotLook(JobSnapshot? Snapshot, string? Token);

/// <summary>Jobs as they were read a moment ago, in Redis for all APIs.</summary>
/// <remarks>
/// A key is made by who looks for it in vain, with a token, and lives two seconds from then, whatever happens. Who has the token reads PostgreSQL and may put what it
/// has read under the key, once: nothing is ever replaced. Who is about to show something else than what lies there, or does not have the token that lies there,
/// deletes the key first. So what lies there was read after the key was made, and no other state has been shown since: docs/decisions/0012-cache.md.
/// </remarks>
public sealed class JobSnapshots(RedisLink link)
{
    /// <summary>For so long at most a snapshot is shown.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromSeconds(2);

    private const string Find = """
        local known = redis.call('HMGET', KEYS[1], 'token', 'version', 'state', 'json', 'tenant')
        if known[4] and known[5] == ARGV[2] then return known end
        if known[1] then return {known[1]} end
        redis.call('HMSET', KEYS[1], 'token', ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        return {ARGV[1]}
        """;

    private const string Show = """
        local known = redis.call('HMGET', KEYS[1], 'token', 'version')
        if not known[1] or known[2] == ARGV[2] then return 0 end
        if known[2] or known[1] ~= ARGV[1] then return redis.call('DEL', KEYS[1]) end
        redis.call('HMSET', KEYS[1], 'version', ARGV[2], 'state', ARGV[3], 'json', ARGV[4], 'tenant', ARGV[5])
        return 1
        """;

    private const string Forget = "return redis.call('DEL', unpack(KEYS))";

    /// <summary>Keys that are deleted at once; Lua takes no more than some thousands.</summary>
    private const int PageSize = 1000;

    /// <summary>Looks for a job.</summary>
    /// <returns>Null when Redis does not answer.</returns>
    public async Task<SnapshotLook?> FindAsync(Guid job, int tenant)
    {
        if (await link.AskAsync(Find, [Key(job)], Guid.NewGuid().ToString("N"), tenant, (long)Life.TotalMilliseconds) is not { } answer)
        {
            return null;
        }

        return (RedisValue[])answer switch
        {
            [_, var version, var state, var json, _] => new SnapshotLook(new JobSnapshot((uint)(long)version, (JobState)(int)state, (byte[]?)json), null),
            [var token, ..] => new SnapshotLook(null, token),
            [] => default(SnapshotLook),
        };
    }

    /// <summary>To be called before a job is shown that was read after <see cref="FindAsync"/> gave the token: keeps it for others, or makes sure that they find nothing older.</summary>
    /// <returns>Whether Redis has done it.</returns>
    public async Task<bool> ShowAsync(Guid job, int tenant, string token, JobSnapshot snapshot) =>
        await link.AskAsync(Show, [Key(job)], token, snapshot.Version.ToString(CultureInfo.InvariantCulture), (int)snapshot.State, snapshot.Json.ToArray(), tenant) is not null;

    /// <summary>To be called before jobs are shown that were read in another way: makes sure that nobody finds anything older.</summary>
    /// <returns>Whether Redis has done it.</returns>
    public async Task<bool> ForgetAsync(IEnumerable<Guid> jobs)
    {
        foreach (var page in jobs.Chunk(PageSize))
        {
            if (await link.AskAsync(Forget, Array.ConvertAll(page, Key)) is null)
            {
                return false;
            }
        }

        return true;
    }

    private static RedisKey Key(Guid job) => $"queuescale:job:{job:N}";
}
