using Microsoft.Extensions.Logging;
using Npgsql;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Store;
using QueueScale.Worker;

namespace QueueScale.TestWorker;

/// <summary>Any run may end its job, also one that was handed over long ago.</summary>
internal sealed class UnfencedCompletions(Database database) : Completions(database)
{
    private readonly Database database = database;

    public override async Task<JobState?> CompleteAsync(Guid job, int epoch, string result, string? progress)
    {
        await using var command = database.General.CreateCommand("update jobs set state = 5, result = $2::jsonb, finished_at = clock_timestamp() where id = $1 and state = 2");
        command.Parameters.Add(new NpgsqlParameter { Value = job });
        command.Parameters.Add(new NpgsqlParameter { Value = result });
        return await command.ExecuteNonQueryAsync() == 1 ? JobState.Succeeded : null;
    }
}

/// <summary>Tells the handler that its checkpoint is saved, and saves it a second later.</summary>
internal sealed class EarlyCheckpoints(Database database) : Checkpoints(database, TimeSpan.FromSeconds(10))
{
    public override Task<CheckpointOutcome> SaveAsync(Guid job, int epoch, int seq, string state, string? progressNow, CancellationToken gone)
    {
        _ = LaterAsync();
        return Task.FromResult(CheckpointOutcome.Saved);

        async Task LaterAsync()
        {
            await Task.Delay(1000, CancellationToken.None);
            await base.SaveAsync(job, epoch, seq, state, progressNow, CancellationToken.None);
        }
    }
}

/// <summary>Acknowledges a wake-up on arrival.</summary>
internal sealed class EarlyIntake(
    IntakeLimits limits, Claims claims, PutBacks putBacks, Checkpoints checkpoints, Runner runner, Slots slots, RunTable table, RunTimes times, Seen seen, PulseThread pulse, ILogger<Intake> logger)
    : Intake(limits, claims, putBacks, checkpoints, runner, slots, table, times, seen, pulse, logger)
{
    public override Task<Receipt> OfferAsync(JobsReady message)
    {
        _ = base.OfferAsync(message);
        return Task.FromResult(Receipt.Done);
    }
}

/// <summary>Writes the time of this process, which is an hour behind.</summary>
internal sealed class OwnClockPulses(Database database) : PulseConnection(database)
{
    protected override string Now => $"timestamptz '{DateTime.UtcNow.AddHours(-1):O}'";
}

/// <summary>Takes every wake-up to itself, and never gives one back.</summary>
internal sealed class EndlessLimits : IntakeLimits
{
    public override TimeSpan Hold => TimeSpan.FromHours(1);

    public override int Prefetch(int slots, double meanRunSeconds) => ushort.MaxValue;
}
