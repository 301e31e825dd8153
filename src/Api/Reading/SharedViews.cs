using QueueScale.Cache;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>What the APIs share of jobs in Redis, and the right to answer from it.</summary>
/// <remarks>
/// Each API looks ten times a second whether that is switched on, and answers from Redis only within <see cref="Lease"/> of such a look. Who shows a job and cannot
/// tell Redis switches it off first and waits for that long: from then on nobody can show an older state, whoever can still reach Redis.
/// </remarks>
internal class SharedViews(JobSnapshots snapshots, RedisLink link, CacheSwitch forAll, TimeProvider clock, ILogger<SharedViews> logger) : DutyLoop(TimeSpan.FromMilliseconds(100), clock, logger)
{
    /// <summary>For so long after the beginning of a look an API may take it that nobody has switched off.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromMilliseconds(300);

    /// <summary>Longer ones stay in PostgreSQL.</summary>
    private const int MostBytes = 64 * 1024;

    /// <summary>Who goes on showing what Redis is not told of switches it off anew this long after the last time.</summary>
    private static readonly TimeSpan RenewAfter = TimeSpan.FromSeconds(2);

    /// <summary>From then on nobody relies on its being off.</summary>
    private static readonly TimeSpan SurelyOffFor = CacheSwitch.OffFor - TimeSpan.FromSeconds(1);

    private readonly Lock turn = new();
    private readonly TimeProvider clock = clock;
    private Look last = new(IsOn: false, 0);
    private Task off = Task.CompletedTask;
    private long offSince;

    private bool MayServe => link.IsUp && Volatile.Read(ref last) is { IsOn: true } look && clock.GetElapsedTime(look.Begun) < Lease;

    /// <summary>Looks for a job that somebody has read a moment ago.</summary>
    /// <returns>The job; or the token with which it may be kept once it has been read; or neither.</returns>
    public async Task<SnapshotLook> FindAsync(Guid job, int tenant)
    {
        if (!MayServe)
        {
            ApiMetrics.CacheRequests.Add(1, ApiMetrics.Redis, ApiMetrics.Off);
            return default;
        }

        var look = await snapshots.FindAsync(job, tenant);
        if (look is { Snapshot: not null } && !MayServe)
        {
            look = default(SnapshotLook); // it may have been switched off meanwhile
        }

        ApiMetrics.CacheRequests.Add(1, ApiMetrics.Redis, look is null ? ApiMetrics.Error : look.Value.Snapshot is null ? ApiMetrics.Miss : ApiMetrics.Hit);
        return look ?? default;
    }

    /// <summary>Before a job is shown that was read from PostgreSQL after <see cref="FindAsync"/>.</summary>
    public virtual async Task ShowAsync(Guid job, int tenant, string? token, JobSnapshot snapshot)
    {
        if (token is null || snapshot.Json.Length > MostBytes)
        {
            await ForgetAsync([job]);
        }
        else if (!await snapshots.ShowAsync(job, tenant, token, snapshot))
        {
            await SwitchOffAsync();
        }
    }

    /// <summary>Before jobs are shown that were read from PostgreSQL in another way.</summary>
    public virtual async Task ForgetAsync(IEnumerable<Guid> jobs)
    {
        if (!await snapshots.ForgetAsync(jobs))
        {
            await SwitchOffAsync();
        }
    }

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        if (link.IsUp)
        {
            var begun = clock.GetTimestamp();
            Volatile.Write(ref last, new Look(await forAll.IsOnAsync(cancellation), begun));
        }

        return 0;
    }

    /// <summary>Returns when no API answers from Redis any more, nor will for a while.</summary>
    private Task SwitchOffAsync()
    {
        link.NoteGone($"no answer within {RedisLink.Patience.TotalMilliseconds:0} ms");
        lock (turn)
        {
            var age = offSince == 0 ? TimeSpan.MaxValue : clock.GetElapsedTime(offSince);
            return !off.IsCompleted || (off.IsCompletedSuccessfully && age < RenewAfter) ? off : off = TurnOffAsync(isOff: age < SurelyOffFor);
        }
    }

    private async Task TurnOffAsync(bool isOff)
    {
        var begun = clock.GetTimestamp();
        await forAll.TurnOffAsync(CancellationToken.None);
        offSince = begun;
        if (!isOff)
        {
            await Task.Delay(Lease, clock);
        }
    }

    private sealed record Look(bool IsOn, long Begun);
}
