namespace QueueScale.Worker;

/// <summary>Suspects are started one at a time: until it has saved a checkpoint, has ended, or has lived for 30 s, no other is.</summary>
internal sealed class Isolation
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private LiveRun? suspect;

    public bool IsFree => suspect is null || suspect.HasSaved || suspect.IsClosed || TimeProvider.System.GetElapsedTime(suspect.ClaimedAt) > Longest;

    public void Begin(LiveRun run) => suspect = run;
}
