using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>The greatest wake-up of each lane's present turn that this worker has settled: the evidence that everything well before it has been delivered.</summary>
internal sealed class Seen
{
    private readonly Lock turn = new();
    private readonly Dictionary<(string Queue, short Lane), SeenWakeUp> greatest = [];

    public void Note(JobsReady settled)
    {
        lock (turn)
        {
            var key = (settled.Queue, settled.Lane);
            if (!greatest.TryGetValue(key, out var seen) || settled.Turn > seen.Turn || (settled.Turn == seen.Turn && settled.At > seen.At))
            {
                greatest[key] = new SeenWakeUp(settled.Queue, settled.Lane, settled.Turn, settled.At);
            }
        }
    }

    public IReadOnlyList<SeenWakeUp> Report()
    {
        lock (turn)
        {
            return [.. greatest.Values];
        }
    }
}
