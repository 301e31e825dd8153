using QueueScale.Contracts;

namespace QueueScale.Testing;

/// <summary>What outlives a run: what PostgreSQL would know of the job, and what the harness has seen of it.</summary>
internal sealed class HarnessJob(IEnumerable<Interruption> interruptions, string? checkpoint)
{
    private readonly Dictionary<int, InterruptionKind> planned = Planned(interruptions);

    public Guid Id { get; } = Guid.CreateVersion7();

    public string? Checkpoint { get; private set; } = checkpoint;

    public List<HarnessCheckpoint> Saved { get; } = [];

    public List<JobProgress> Progress { get; } = [];

    public int Runs { get; set; }

    public int Calls { get; private set; }

    /// <summary>Counts a call of <c>CheckpointAsync</c> and says what befalls it.</summary>
    public InterruptionKind? NextCall() => planned.TryGetValue(++Calls, out var kind) ? kind : null;

    public void Save(string json, bool transactional)
    {
        Checkpoint = json;
        Saved.Add(new HarnessCheckpoint(json, transactional));
    }

    private static Dictionary<int, InterruptionKind> Planned(IEnumerable<Interruption> interruptions)
    {
        var planned = new Dictionary<int, InterruptionKind>();
        foreach (var (call, kind) in interruptions)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(call, 1, nameof(interruptions));
            if (!planned.TryAdd(call, kind))
            {
                throw new ArgumentException($"Checkpoint {call} is interrupted twice; give each number once.", nameof(interruptions));
            }
        }

        return planned;
    }
}
