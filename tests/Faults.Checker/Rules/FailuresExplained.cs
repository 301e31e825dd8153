using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C11: a failed job says why, and nobody refused a message but those that were sent to be refused.</summary>
internal static class FailuresExplained
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        foreach (var trail in evidence.Trails.Where(trail => trail.Row is { State: JobState.Failed, ErrorCode: null or "" }))
        {
            yield return new("The job failed without an error code.", trail);
        }

        var refused = evidence.History.AfterDrain.Queues.Where(queue => queue.HoldsRefused).ToArray();
        var sent = evidence.History.Options.MalformedMessages;
        if (refused.Sum(queue => queue.Ready + queue.Unacked) is var count && count > sent)
        {
            var where = string.Join(", ", refused.Select(queue => $"{queue.Name} {queue.Ready + queue.Unacked}"));
            yield return new($"{count} messages were refused, and only {sent} were sent to be: {where}.");
        }
    }
}
