using System.ComponentModel.DataAnnotations;

namespace QueueScale.Worker;

/// <summary>How a worker takes jobs and keeps them. Section "Worker".</summary>
public sealed class WorkerOptions
{
    /// <summary>The worker's name in lists and logs. Default: the host's name.</summary>
    [Required, MaxLength(200)]
    public string Name { get; set; } = Environment.MachineName;

    /// <summary>The queues to serve. Default: the queues of the job types that this worker knows.</summary>
    public IList<string> Queues { get; } = [];

    /// <summary>Runs at once in this process. Default 32.</summary>
    [Range(1, 1024)]
    public int Slots { get; set; } = 32;

    /// <summary>Without a pulse for this long a worker counts as dead and its jobs go on elsewhere. Default 10 seconds.</summary>
    /// <remarks>It pulses every second, and stops its runs by itself 2 seconds before the lease is over. A worker whose process dies is noticed after
    /// 2.5 seconds, whatever the lease.</remarks>
    [Range(typeof(TimeSpan), "00:00:05", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long runs have after SIGTERM to reach their next checkpoint; then they are ended and put back. Default 20 seconds.</summary>
    /// <remarks>The process needs up to 5 seconds more to leave. Whatever runs it must wait longer than both before it kills.</remarks>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan DrainBudget { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The mean of the delay before the second attempt is half of this; it doubles with each further one. Default 1 second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan RetryBaseDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>No delay before an attempt is longer. Default 10 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "1.00:00:00")]
    public TimeSpan RetryMaxDelay { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>When the worker calls itself backlogged.</summary>
    public ReadinessOptions Readiness { get; } = new();
}

/// <summary>Readiness by queue depth. Section "Worker:Readiness".</summary>
public sealed class ReadinessOptions
{
    /// <summary>With a drain time above this the worker reports itself as backlogged. Default 5 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "7.00:00:00")]
    public TimeSpan MaxDrainTime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether being backlogged fails readiness. Default false: on Kubernetes an unready worker would block the very rollout that mends the backlog.</summary>
    public bool FailWhenBacklogged { get; set; }
}
