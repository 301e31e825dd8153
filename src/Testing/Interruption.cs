namespace QueueScale.Testing;

/// <summary>How a run is interrupted at a checkpoint.</summary>
public enum InterruptionKind
{
    /// <summary>Politely: the state is saved, then <see cref="QueueScale.Contracts.RunStopped"/> is thrown. A drain does this, and a cancel request.</summary>
    Stop,

    /// <summary>The process dies just before the save: the state is not saved, and what a transactional checkpoint did is rolled back.</summary>
    KillBeforeSave,

    /// <summary>The process dies just after the save, before the handler learns of it.</summary>
    KillAfterSave,
}

/// <summary>One interruption of a job.</summary>
/// <param name="Checkpoint">Where: the number of a call of <c>CheckpointAsync</c>, 1 for the first, counted over all runs of the job.</param>
/// <param name="Kind">How.</param>
public sealed record Interruption(int Checkpoint, InterruptionKind Kind);
