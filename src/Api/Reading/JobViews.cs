using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Reads jobs for callers: from the memory of this process, else from what the APIs share, else from PostgreSQL. No caller is shown an older state than
/// another was before.</summary>
/// <param name="jobs">PostgreSQL.</param>
/// <param name="finished">The memory of this process.</param>
/// <param name="shared">Null where there is no Redis.</param>
internal sealed class JobViews(JobReader jobs, FinishedViews finished, SharedViews? shared = null)
{
    /// <summary>A job as it was at most two seconds ago; one that has succeeded, in the last minute.</summary>
    /// <returns>Null when the tenant has no such job.</returns>
    /// <exception cref="StoreUnavailable">PostgreSQL had to be asked and did not answer.</exception>
    public async Task<JobView?> FindAsync(Guid id, int tenant, CancellationToken callerGone)
    {
        var kept = finished.Find(id, tenant);
        ApiMetrics.CacheRequests.Add(1, ApiMetrics.Process, kept is null ? ApiMetrics.Miss : ApiMetrics.Hit);
        if (kept is not null)
        {
            return kept;
        }

        var look = shared is null ? default : await shared.FindAsync(id, tenant);
        var view = look.Snapshot is { } snapshot ? new JobView(id, snapshot) : await StoreDeadline.WithinAsync(limit => ReadAsync(id, tenant, look.Token, limit), callerGone);
        if (view is not null)
        {
            finished.Keep(view, tenant);
        }

        return view;
    }

    /// <summary>A job as it is now.</summary>
    /// <returns>Null when the tenant has no such job.</returns>
    public async Task<StoredJob?> ReadNowAsync(Guid id, int tenant, CancellationToken cancellation)
    {
        var stored = await jobs.FindAsync(id, tenant, cancellation);
        if (stored is not null)
        {
            await ShownAsync([id]);
        }

        return stored;
    }

    /// <summary>To be awaited before jobs are shown that were read elsewhere.</summary>
    public Task ShownAsync(IEnumerable<Guid> ids) => shared?.ForgetAsync(ids) ?? Task.CompletedTask;

    private async Task<JobView?> ReadAsync(Guid id, int tenant, string? token, CancellationToken cancellation)
    {
        if (await jobs.FindAsync(id, tenant, cancellation) is not { } stored)
        {
            return null;
        }

        var view = JobView.Of(stored);
        await (shared?.ShowAsync(id, tenant, token, view.Snapshot) ?? Task.CompletedTask);
        return view;
    }
}
