using Microsoft.Extensions.Logging;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>Turns wake-ups into claimed jobs, never more than there is room for. A wake-up is acknowledged when its jobs are claimed or void; one that cannot
/// be taken within a second goes back to the head of its queue.</summary>
internal partial class Intake(
    IntakeLimits limits, Claims claims, PutBacks putBacks, Checkpoints checkpoints, Runner runner, Slots slots, RunTable table, RunTimes times, Seen seen, PulseThread pulse, ILogger<Intake> logger)
{
    /// <summary>Jobs claimed with one statement.</summary>
    private const int MaxClaim = 500;

    /// <summary>Claims run ahead by what the slots finish in this time.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(50);

    /// <summary>A suspect that is innocent has shown it by then.</summary>
    private static readonly TimeSpan SuspectInterval = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    private readonly Lock turn = new();
    private readonly OfferBook book = new();
    private readonly SemaphoreSlim signal = new(0, 1);
    private readonly Isolation isolation = new();
    private readonly CancellationTokenSource stopping = new();
    private IReadOnlyList<LaneEndpoint> endpoints = [];
    private Task pump = Task.CompletedTask;
    private Task switching = Task.CompletedTask;
    private long pausedAt;
    private long resumedAt;
    private bool databaseAway;
    private volatile bool open;

    /// <summary>Whether it is stopped in place because the slots are full, PostgreSQL does not answer or no pulse reaches it.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Whether it takes nothing because all slots are full, or were so until a moment ago.</summary>
    public bool IsFull => (IsPaused && !databaseAway && pulse.IsAlive) || (resumedAt != 0 && TimeProvider.System.GetElapsedTime(resumedAt) < limits.Hold);

    /// <summary>Whether it stands still because PostgreSQL did not answer the last claim.</summary>
    public bool DatabaseAway => databaseAway;

    /// <summary>Begins to take jobs.</summary>
    public void Start(IReadOnlyList<LaneEndpoint> lanes)
    {
        endpoints = lanes;
        slots.Freed = Signal;
        open = true;
        pump = Task.Run(PumpAsync);
    }

    /// <summary>Takes a wake-up, or not: what the bus calls for each delivery.</summary>
    public virtual async Task<Receipt> OfferAsync(JobsReady message)
    {
        if (message.Jobs.Count == 0)
        {
            seen.Note(message);
            return Receipt.Done;
        }

        var offer = new Offer(message);
        lock (turn)
        {
            if (!open || IsPaused)
            {
                return Receipt.HandBack;
            }

            book.Add(offer);
        }

        Signal();
        return await offer.Settled;
    }

    /// <summary>Takes no more, and gives back what is held.</summary>
    public async Task StopAsync()
    {
        open = false;
        await stopping.CancelAsync();
        await pump;
        await SettleAsync(_ => true);
        foreach (var run in slots.TakeWaiting(TimeSpan.Zero))
        {
            runner.PutBackUnstarted(run);
        }
    }

    /// <summary>Stops consuming for good. It takes its time while the broker is away.</summary>
    public async Task RemoveEndpointsAsync(CancellationToken cancellation)
    {
        await switching;
        await Task.WhenAll(endpoints.Select(e => e.RemoveAsync(cancellation)));
    }

    private async Task PumpAsync()
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var took = await TakeAsync();
                await SettleAsync(offer => offer.Age > limits.Hold);
                foreach (var run in slots.TakeWaiting(limits.Hold))
                {
                    runner.PutBackUnstarted(run);
                }

                await PauseOrResumeAsync();
                if (!took)
                {
                    await signal.WaitAsync(Tick, stopping.Token);
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                Log.PumpFailed(logger, error.Message, error);
                await Task.Delay(Tick);
            }
        }
    }

    /// <returns>Whether something was claimed, so that it is worth to look again at once.</returns>
    private async Task<bool> TakeAsync()
    {
        if (!pulse.IsAlive)
        {
            return false; // its lease is over: what it claimed would be taken from it at once
        }

        var (jobs, touched) = Pick(slots.Free + RunsAhead() - slots.Waiting);
        if (jobs.Count == 0)
        {
            return false;
        }

        try
        {
            var claimed = await ClaimAsync(jobs);
            Begin([.. claimed.Select(job => new LiveRun(job, checkpoints))]);
            if (claimed.Count < jobs.Count)
            {
                await TakeSuspectsAsync([.. jobs.ExceptBy(claimed.Select(c => c.Id), j => j.Id)]);
            }
        }
        catch (Exception error)
        {
            // Whether they were claimed is unknown. What was is put back when the pulse finds it; the wake-ups go back for the rest.
            databaseAway = true;
            Log.ClaimFailed(logger, jobs.Count, error.Message);
            lock (turn)
            {
                book.Remove(touched.Contains);
            }

            Settle(touched, Receipt.HandBack);
            return false;
        }

        Settle(touched.Where(offer => offer.IsUsedUp), Receipt.Done);
        return true;
    }

    /// <summary>Takes jobs from the book, each job once.</summary>
    private (IReadOnlyList<ReadyJob> Jobs, HashSet<Offer> Touched) Pick(int room)
    {
        var (picked, touched) = (new Dictionary<Guid, ReadyJob>(), new HashSet<Offer>());
        lock (turn)
        {
            while (picked.Count < Math.Min(room, MaxClaim) && book.TryTake(out var job, out var from))
            {
                touched.Add(from);
                if (!picked.TryGetValue(job.Id, out var same) || same.Dispatch < job.Dispatch)
                {
                    picked[job.Id] = job; // of two wake-ups for one job the lower dispatch is void
                }
            }
        }

        return ([.. picked.Values.OrderBy(j => j.Id)], touched);
    }

    private int RunsAhead() => times.MeanSeconds is { } mean && mean <= Ahead.TotalSeconds
        ? (int)Math.Min(MaxClaim, slots.Size * Ahead.TotalSeconds / Math.Max(mean, 1e-6))
        : 0;

    private async Task<IReadOnlyList<ClaimedJob>> ClaimAsync(IReadOnlyList<ReadyJob> jobs)
    {
        try
        {
            return await claims.ClaimAsync(pulse.Worker, jobs, suspects: false, CancellationToken.None);
        }
        catch (Exception error) when (BatchErrors.IsPassing(error))
        {
            // The answer may be lost, not the claim: what runs under this worker now, and was not running before, was claimed.
            var mine = await claims.ReadBackAsync(pulse.Worker, jobs, CancellationToken.None);
            var fresh = mine.Where(job => !table.Contains(job.Id, job.Epoch)).ToArray();
            return fresh.Length > 0 ? fresh : await claims.ClaimAsync(pulse.Worker, jobs, suspects: false, CancellationToken.None);
        }
    }

    private async Task TakeSuspectsAsync(IReadOnlyList<ReadyJob> missing)
    {
        var deferred = 0;
        var suspects = await claims.SuspectsAmongAsync(missing, CancellationToken.None);
        if (suspects.Count < missing.Count)
        {
            Log.Void(logger, missing.Count - suspects.Count, missing.ExceptBy(suspects.Select(s => s.Id), j => j.Id).First().Id);
        }

        foreach (var suspect in suspects)
        {
            if (!isolation.IsFree)
            {
                // One after the other, so that a hundred of them neither come back together nor wait for each other's second.
                await claims.DeferAsync(suspect, SuspectInterval * ++deferred, CancellationToken.None);
            }
            else if (await claims.ClaimAsync(pulse.Worker, [suspect], suspects: true, CancellationToken.None) is [var job])
            {
                var run = new LiveRun(job, checkpoints);
                isolation.Begin(run);
                Begin(run);
                Log.SuspectStarted(logger, job.Id, job.Type, job.Epoch, job.Suspect);
            }
        }
    }

    private void Begin(params LiveRun[] runs)
    {
        var added = runs.Where(table.TryAdd).ToArray();
        if (!open)
        {
            // Claimed while the drain began: whoever asks all runs to stop may have looked before these were there.
            foreach (var run in added)
            {
                run.AskToStop();
            }
        }

        slots.Add(added);
    }

    /// <summary>Ends the wait of offers: untouched ones go back as they are, of others the jobs not taken yet go to the front lane.</summary>
    private async Task SettleAsync(Func<Offer, bool> which)
    {
        IReadOnlyList<Offer> removed;
        lock (turn)
        {
            removed = book.Remove(which);
        }

        foreach (var offer in removed)
        {
            if (offer.Taken == 0)
            {
                offer.Settle(Receipt.HandBack);
                continue;
            }

            try
            {
                await putBacks.GiveBackAsync(offer.Message.Jobs.Skip(offer.Taken), offer.Message.Lane, CancellationToken.None);
                Settle([offer], Receipt.Done);
            }
            catch (Exception error) when (BatchErrors.IsPassing(error))
            {
                offer.Settle(Receipt.HandBack); // what was taken is void when it comes again
            }
        }
    }

    private void Settle(IEnumerable<Offer> offers, Receipt receipt)
    {
        foreach (var offer in offers)
        {
            if (receipt == Receipt.Done)
            {
                seen.Note(offer.Message);
            }

            offer.Settle(receipt);
        }
    }

    private async Task PauseOrResumeAsync()
    {
        if (!switching.IsCompleted)
        {
            return;
        }

        if (!IsPaused && (databaseAway || !pulse.IsAlive || slots.AreStuckFor(limits.Hold)))
        {
            lock (turn)
            {
                IsPaused = true;
            }

            pausedAt = TimeProvider.System.GetTimestamp();
            await SettleAsync(_ => true);
            switching = Task.WhenAll(endpoints.Select(e => e.PauseAsync()));
        }
        else if (IsPaused && TimeProvider.System.GetElapsedTime(pausedAt) > limits.Hold && pulse.IsAlive && (databaseAway ? await DatabaseAnswersAsync() : slots.Free > 0))
        {
            databaseAway = false;
            lock (turn)
            {
                IsPaused = false;
            }

            resumedAt = TimeProvider.System.GetTimestamp();
            switching = Task.WhenAll(endpoints.Select(e => e.ResumeAsync()));
        }
    }

    private async Task<bool> DatabaseAnswersAsync()
    {
        try
        {
            await claims.SuspectsAmongAsync([], CancellationToken.None);
            return true;
        }
        catch (Exception error) when (BatchErrors.IsPassing(error))
        {
            return false;
        }
    }

    private void Signal()
    {
        if (signal.CurrentCount == 0)
        {
            try
            {
                signal.Release();
            }
            catch (SemaphoreFullException)
            {
                // Somebody else signalled in between; once is enough.
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4101, LogLevel.Warning, "A claim of {Jobs} jobs failed: {Reason}. Their wake-ups go back; taking jobs pauses until PostgreSQL answers")]
        public static partial void ClaimFailed(ILogger logger, int jobs, string reason);

        [LoggerMessage(4102, LogLevel.Warning, "Job {JobId} ({JobType}) starts alone in run {Epoch}: its worker has died {Suspect} times in a row")]
        public static partial void SuspectStarted(ILogger logger, Guid jobId, string jobType, int epoch, int suspect);

        [LoggerMessage(4104, LogLevel.Information, "{Jobs} wake-ups were void, {JobId} among them: the job is unknown here, cancelled, has run, was sent again since, or its queue is paused")]
        public static partial void Void(ILogger logger, int jobs, Guid jobId);

        [LoggerMessage(4103, LogLevel.Error, "Taking jobs failed: {Reason}")]
        public static partial void PumpFailed(ILogger logger, string reason, Exception error);
    }
}
