using System.ComponentModel.DataAnnotations;

namespace QueueScale.Bus;

/// <summary>How wake-ups are sent. Section "Bus".</summary>
public sealed class BusOptions
{
    /// <summary>The most jobs that one wake-up names. Default 64.</summary>
    /// <remarks>A wake-up carries what one slot does in about 100 ms, and never more than this. One job a message caps a worker at about 5,000 jobs/s;
    /// docs/decisions, "wake-ups of several jobs".</remarks>
    [Range(1, 64)]
    public int WakeBatch { get; set; } = 64;
}
