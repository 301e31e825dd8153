using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class LiveRunTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_run_whose_job_was_cancelled_before_its_claim_was_known_is_told_so_before_it_starts(bool cancelled)
    {
        using var run = new LiveRun(
            new ClaimedJob { Id = Guid.CreateVersion7(), Epoch = 1, Type = "test", Queue = "default", Input = default, CheckpointSeq = 0, Attempts = 0, Suspect = 0, CancelRequested = cancelled },
            checkpoints: null!); // it saves nothing here
        Assert.Equal(cancelled ? StopReason.Cancelled : StopReason.None, run.Reason);
    }
}
