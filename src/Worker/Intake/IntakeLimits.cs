using QueueScale.Bus;

namespace QueueScale.Worker;

/// <summary>How much a worker takes to itself before it can run it.</summary>
internal class IntakeLimits
{
    /// <summary>No wake-up is held unclaimed, and no claimed job unstarted, for longer.</summary>
    public virtual TimeSpan Hold => TimeSpan.FromSeconds(1);

    /// <summary>Wake-ups held at once: what the slots do in half a second.</summary>
    public virtual int Prefetch(int slots, double meanRunSeconds) => (int)Math.Clamp(slots * 0.5 / Math.Max(meanRunSeconds, WakeUps.SecondsPerWakeUp), 1, 16);
}
