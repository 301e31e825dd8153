using System.Text.Json;
using QueueScale.Cache;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>A job as a caller is shown it.</summary>
/// <param name="Id">The job.</param>
/// <param name="Snapshot">What is shown.</param>
internal sealed record JobView(Guid Id, JobSnapshot Snapshot)
{
    private static readonly JsonSerializerOptions Options = ApiJson.NewOptions();

    public JobState State => Snapshot.State;

    public static JobView Of(StoredJob stored) => new(stored.Job.Id, new JobSnapshot(stored.Version, stored.Job.State, JsonSerializer.SerializeToUtf8Bytes(stored.Job, Options)));
}
