using QueueScale.Bus;
using QueueScale.Contracts;

namespace QueueScale.Worker;

/// <summary>A received wake-up whose jobs are being claimed.</summary>
internal sealed class Offer(JobsReady message)
{
    private readonly TaskCompletionSource<Receipt> settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long receivedAt = TimeProvider.System.GetTimestamp();

    public JobsReady Message { get; } = message;

    /// <summary>How many of its jobs the pump has taken.</summary>
    public int Taken { get; set; }

    public bool IsUsedUp => Taken == Message.Jobs.Count;

    public TimeSpan Age => TimeProvider.System.GetElapsedTime(receivedAt);

    public Task<Receipt> Settled => settled.Task;

    public void Settle(Receipt receipt) => settled.TrySetResult(receipt);
}
