using Microsoft.Extensions.Logging;
using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>Says once a second that this worker lives, and hears which of its runs were cancelled or are no longer its own. It has a thread and a connection of
/// its own.</summary>
internal sealed partial class PulseThread(
    PulseConnection connection, WorkerIdentity identity, RunTable table, RunTimes times, Seen seen, PutBacks putBacks, Func<int> busy, Action drain, ILogger<PulseThread> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>The worker stops its runs this long before its lease is over, so that it never runs what another may have taken over.</summary>
    private static readonly TimeSpan LeaseMargin = TimeSpan.FromSeconds(2);

    private readonly ManualResetEventSlim leaving = new();
    private readonly TaskCompletionSource registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? thread;
    private long lastGood;
    private bool away;
    private bool told;

    /// <summary>This process's present id among the workers.</summary>
    public Guid Worker => connection.Worker;

    /// <summary>Whether the last pulse reached PostgreSQL within the lease.</summary>
    public bool IsAlive => thread is not null && TimeProvider.System.GetElapsedTime(Interlocked.Read(ref lastGood)) < identity.Lease - LeaseMargin;

    /// <summary>How long PostgreSQL took for the last pulse that reached it.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>Whether the worker is on its way out.</summary>
    public bool Draining { get; set; }

    /// <summary>Registers the worker and begins to pulse; ends when the first pulse is through.</summary>
    public Task StartAsync(CancellationToken cancellation)
    {
        thread = new Thread(Loop) { Name = "pulse", IsBackground = true, Priority = ThreadPriority.AboveNormal };
        thread.Start();
        return registered.Task.WaitAsync(cancellation);
    }

    /// <summary>Sends the last pulse, which says that the worker has left, and ends the thread.</summary>
    public void Leave()
    {
        leaving.Set();
        thread?.Join();
        connection.Dispose();
    }

    private void Loop()
    {
        while (!leaving.IsSet)
        {
            var began = TimeProvider.System.GetTimestamp();
            try
            {
                Pulse(began);
                if (away)
                {
                    away = false;
                    Log.Back(logger);
                }
            }
            catch (Exception error)
            {
                if (!away)
                {
                    away = true;
                    Log.Failed(logger, error.Message);
                }
            }

            if (table.Count > 0 && TimeProvider.System.GetElapsedTime(lastGood) > identity.Lease - LeaseMargin)
            {
                Log.LeaseOver(logger, table.Count, identity.Lease - LeaseMargin);
                LoseAll();
            }

            leaving.Wait(Interval - TimeProvider.System.GetElapsedTime(began) is var rest && rest > TimeSpan.Zero ? rest : TimeSpan.Zero);
        }

        try
        {
            connection.Leave();
        }
        catch (Exception)
        {
            // PostgreSQL is away; the lease ends by itself.
        }
    }

    private void Pulse(long began)
    {
        try
        {
            if (connection.Worker == Guid.Empty)
            {
                connection.Register(identity);
            }
            else if (!connection.Beat(new WorkerReport { Busy = busy(), Draining = Draining, Means = times.ToJson(), Seen = seen.Report() }))
            {
                Log.DeclaredDead(logger, table.Count);
                LoseAll();
                connection.Register(identity);
            }

            if (connection.DrainAsked && !told)
            {
                told = true;
                Log.DrainAsked(logger, identity.Name);
                Task.Run(drain); // the pulse goes on meanwhile
            }

            Interlocked.Exchange(ref lastGood, began);
            Took = TimeProvider.System.GetElapsedTime(began);
            registered.TrySetResult();
            Compare();
        }
        catch
        {
            connection.ResetIfBroken();
            throw;
        }
    }

    /// <summary>Compares the runs of the table with those of this process, both ways.</summary>
    private void Compare()
    {
        var mine = table.All.ToDictionary(run => (run.JobId, run.Epoch));
        var shown = connection.Runs();
        foreach (var run in shown)
        {
            if (table.Find(run.Job, run.Epoch) is { } known)
            {
                if (run.CancelRequested && !known.Stop.IsCancellationRequested)
                {
                    known.End(StopReason.Cancelled);
                }
            }
            else if (run.OlderThan5Seconds && !mine.ContainsKey((run.Job, run.Epoch))) // nor one that has ended since
            {
                // Claimed by this worker, which never learned of it: the answer was lost.
                Log.UnknownRun(logger, run.Job, run.Epoch);
                _ = putBacks.PutBackAsync(new Unfinished(run.Job, run.Epoch, RunEnding.Lost, Counts: false, TimeSpan.Zero));
            }
        }

        var ids = shown.Select(r => (r.Job, r.Epoch)).ToHashSet();
        foreach (var run in mine.Values.Where(run => !run.IsClosed && !ids.Contains((run.JobId, run.Epoch)) && run.Reason != StopReason.Lost))
        {
            run.End(StopReason.Lost);
        }
    }

    private void LoseAll()
    {
        foreach (var run in table.All)
        {
            run.End(StopReason.Lost);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4201, LogLevel.Warning, "The pulse does not reach PostgreSQL: {Reason}. It is tried again every second")]
        public static partial void Failed(ILogger logger, string reason);

        [LoggerMessage(4202, LogLevel.Information, "The pulse reaches PostgreSQL again")]
        public static partial void Back(ILogger logger);

        [LoggerMessage(4203, LogLevel.Error, "No pulse for {Limit}: {Runs} runs are stopped before others take them over")]
        public static partial void LeaseOver(ILogger logger, int runs, TimeSpan limit);

        [LoggerMessage(4204, LogLevel.Error, "This worker was declared dead and its {Runs} runs belong to others now; it goes on under a new id")]
        public static partial void DeclaredDead(ILogger logger, int runs);

        [LoggerMessage(4206, LogLevel.Information, "Worker {Worker} was asked to drain; it hands its runs over and ends")]
        public static partial void DrainAsked(ILogger logger, string worker);

        [LoggerMessage(4205, LogLevel.Warning, "Job {JobId}, run {Epoch}, was claimed here without this worker learning of it; it is put back")]
        public static partial void UnknownRun(ILogger logger, Guid jobId, int epoch);
    }
}
