using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>Runs one claimed job: calls its handler and records how that ended.</summary>
internal sealed partial class Runner
{
    /// <summary>A result's JSON is no longer than this.</summary>
    private const int MaxResult = 256 * 1024;

    private const int MaxErrorMessage = 2000;

    /// <summary>A job whose type no worker of its queue knows waits this often, up to a minute each, for one that does.</summary>
    private const int UnknownTypeRuns = 100;

    private readonly JobCatalog catalog;
    private readonly IServiceProvider services;
    private readonly Completions completions;
    private readonly Failures failures;
    private readonly PutBacks putBacks;
    private readonly RunTable table;
    private readonly RunTimes times;
    private readonly WorkerOptions options;
    private readonly ILogger logger;
    private readonly SemaphoreSlim recordings;
    private long drainingSince;

    public Runner(JobCatalog catalog, IServiceProvider services, Completions completions, Failures failures, PutBacks putBacks, RunTable table, RunTimes times,
        IOptions<WorkerOptions> options, ILogger<Runner> logger)
    {
        this.catalog = catalog;
        this.services = services;
        this.completions = completions;
        this.failures = failures;
        this.putBacks = putBacks;
        this.table = table;
        this.times = times;
        this.options = options.Value;
        this.logger = logger;
        recordings = new SemaphoreSlim((4 * options.Value.Slots) + 256);
    }

    /// <summary>The worker drains from now on: what is put back counts its hand-over from here.</summary>
    public void BeginDrain() => drainingSince = TimeProvider.System.GetTimestamp();

    /// <summary>For how long the worker has been draining; null while it is not.</summary>
    public TimeSpan? DrainingFor => drainingSince == 0 ? null : TimeProvider.System.GetElapsedTime(drainingSince);

    /// <summary>Runs the handler. When this returns its slot is free; the end of the run is being recorded.</summary>
    public async Task RunAsync(LiveRun run)
    {
        await recordings.WaitAsync(); // slots wait when PostgreSQL cannot keep up with what they finish
        run.Recorded = () => recordings.Release();
        run.Overdue = () => Close(run, Stopped(run)!);
        run.Span = RunSpan.Begin(run);
        Ending ending;
        try
        {
            ending = await HandleAsync(run);
        }
        catch (Exception error)
        {
            ending = Judge(run, error);
        }

        Close(run, ending);
    }

    /// <summary>Puts a claimed job back that was not started.</summary>
    public void PutBackUnstarted(LiveRun run) => Close(run, new Ending.PutBack(Counts: false));

    private async Task<Ending> HandleAsync(LiveRun run)
    {
        if (Stopped(run) is { } before)
        {
            return before;
        }

        if (catalog.Find(run.JobType) is not { } type)
        {
            // A newer worker may know it: during a rolling update both take from one queue.
            var message = $"Worker {options.Name} has no handler for '{run.JobType}'. Deploy a worker that registers it, or cancel the job.";
            Log.UnknownType(logger, run.JobId, run.JobType, run.Epoch, options.Name);
            return new Ending.Failure(run.Epoch < UnknownTypeRuns ? Verdict.Snooze : Verdict.GiveUp, RunEnding.Failed, Error(ErrorCodes.UnknownType, message),
                TimeSpan.FromSeconds(Math.Min(60, Math.Pow(2, run.Epoch - 1))));
        }

        run.Started = true;
        run.StartTimeout();
        WorkerMetrics.Started(run.Job, TimeProvider.System.GetElapsedTime(run.ClaimedAt));
        Log.Started(logger, run.JobId, run.JobType, run.Epoch);
        var began = TimeProvider.System.GetTimestamp();
        try
        {
            // For what the handler logs; our own lines name the job themselves.
            using var scope = logger.BeginScope(new KeyValuePair<string, object>[]
            {
                new("JobId", run.JobId), new("JobType", run.JobType), new("Epoch", run.Epoch),
            });
            var result = await type.RunAsync(services, run.Job.Input, run, run.Stop);
            return result.Length <= MaxResult
                ? new Ending.Success(result)
                : GiveUp(ErrorCodes.ResultUnstorable, $"The result has {result.Length} characters of JSON; {MaxResult} are allowed. Store large results elsewhere and return where.");
        }
        finally
        {
            var took = TimeProvider.System.GetElapsedTime(began);
            times.Add(run.JobType, run.Job.Queue, took);
            WorkerMetrics.Ran(run.Job, took);
        }
    }

    /// <summary>What an exception of the handler means.</summary>
    private Ending Judge(LiveRun run, Exception error)
    {
        switch (error)
        {
            case RunStopped or OperationCanceledException when Stopped(run) is { } stopped:
                return stopped;
            case not JobFailed when run.Stop.IsCancellationRequested && Stopped(run) is { } stopped:
                return stopped; // whatever it threw, it was told to stop at once
            case StoreUnavailable:
                Log.Interrupted(logger, run.JobId, run.JobType, run.Epoch, error.Message, error.InnerException ?? error);
                return new Ending.PutBack(Counts: true); // the next run reads what is durable
            case JobFailed failed:
                return GiveUp(failed.Code, failed.Message);
            case RetryLater later:
                return new Ending.Failure(Verdict.Snooze, RunEnding.Snoozed, null, later.After);
            case CheckpointUnreadable:
                return Retry(run, RunEnding.Failed, ErrorCodes.CheckpointUnreadable, error.Message);
            case InputUnreadable:
                return Retry(run, RunEnding.Failed, ErrorCodes.InputUnreadable, error.Message);
            default:
                var thrown = Thrown(error);
                Log.Failed(logger, run.JobId, run.JobType, run.Epoch, run.Attempt, thrown);
                run.Span?.Threw(error, thrown);
                return Retry(run, RunEnding.Failed, ErrorCodes.HandlerFailed, $"{error.GetType().Name}: {error.Message}");
        }
    }

    /// <summary>What a handler threw, and where. Not what it said: that may quote the job's input, and stands with the job alone.</summary>
    private static string Thrown(Exception error) =>
        $"{error.GetType().FullName}\n{error.StackTrace}{(error.InnerException is { } inner ? $"\nbecause of {Thrown(inner)}" : "")}";

    /// <summary>What the reason to stop early, if there is one, makes of the run.</summary>
    private Ending? Stopped(LiveRun run) => run.Reason switch
    {
        StopReason.None => null,
        StopReason.TimedOut => Retry(run, RunEnding.TimedOut, ErrorCodes.TimedOut, $"The run took longer than its timeout of {run.Job.Timeout}."),
        StopReason.Lost => new Ending.Lost(),
        _ => new Ending.PutBack(run.Started), // a cancelled job ends as cancelled there
    };

    private void Close(LiveRun run, Ending ending)
    {
        if (run.TryClose())
        {
            _ = RecordAsync(run, ending);
        }
    }

    private async Task RecordAsync(LiveRun run, Ending ending)
    {
        try
        {
            await RecordOnceAsync(run, ending);
        }
        catch (DataRefused refused)
        {
            await GuardedAsync(run, () => RecordOnceAsync(run, GiveUp(ErrorCodes.ResultUnstorable, $"PostgreSQL refuses the result: {refused.Message}")));
        }
        catch (Exception error)
        {
            NotRecorded(run, error); // the sweep, or the next worker's read-back, puts it back
        }
        finally
        {
            run.Span?.Dispose();
            table.Remove(run);
            run.Recorded?.Invoke();
            run.Dispose();
        }
    }

    private async Task GuardedAsync(LiveRun run, Func<Task> record)
    {
        try
        {
            await record();
        }
        catch (Exception error)
        {
            NotRecorded(run, error);
        }
    }

    private void NotRecorded(LiveRun run, Exception error)
    {
        Log.NotRecorded(logger, run.JobId, run.JobType, run.Epoch, error.Message);
        run.Span?.Ended(RunEnding.Lost, state: null, "not_recorded");
    }

    private async Task RecordOnceAsync(LiveRun run, Ending ending)
    {
        JobState? state;
        RunEnding how;
        JobError? problem = null;
        switch (ending)
        {
            case Ending.Success success:
                how = RunEnding.Succeeded;
                state = await completions.CompleteAsync(run.JobId, run.Epoch, success.Result, run.LatestProgress());
                break;
            case Ending.Failure failure:
                (how, problem) = (failure.How, failure.Error);
                var json = problem is null ? null : JsonSerializer.Serialize(problem, JobJson.Options);
                state = await failures.FailAsync(run.JobId, run.Epoch, failure.Verdict, how, json, failure.Delay, run.Span?.Context);
                break;
            case Ending.PutBack putBack:
                await run.SaveWhatIsLeftAsync();
                how = RunEnding.Interrupted;
                state = await putBacks.PutBackAsync(new Unfinished(run.JobId, run.Epoch, how, putBack.Counts, DrainingFor, run.Span?.Context));
                break;
            default:
                Lost(run);
                return;
        }

        if (state is { } now)
        {
            CountFinished(run, now);
            Log.Ended(logger, run.JobId, run.JobType, run.Epoch, now);
            run.Span?.Ended(now == JobState.Cancelled ? RunEnding.Cancelled : how, now, problem?.Code);
        }
        else
        {
            WorkerMetrics.LateWritesRefused.Add(1);
            Lost(run);
        }
    }

    private void Lost(LiveRun run)
    {
        Log.Lost(logger, run.JobId, run.JobType, run.Epoch);
        run.Span?.Ended(RunEnding.Lost, state: null, "lost");
    }

    private void CountFinished(LiveRun run, JobState state)
    {
        var outcome = state switch
        {
            JobState.Succeeded => "succeeded",
            JobState.Failed => "failed",
            JobState.Cancelled => "cancelled",
            _ => null,
        };
        if (outcome is not null)
        {
            FinishedJobs.Add(run.Job.Queue, catalog.Find(run.JobType)?.Name ?? Label.Other, outcome);
        }
    }

    private Ending.Failure Retry(LiveRun run, RunEnding how, string code, string message) => new(Verdict.Retry, how, Error(code, message),
        RetryDelay.Next(run.Attempt, options.RetryBaseDelay, options.RetryMaxDelay, Random.Shared.NextDouble()));

    private static Ending.Failure GiveUp(string code, string message) => new(Verdict.GiveUp, RunEnding.Failed, Error(code, message), TimeSpan.Zero);

    private static JobError Error(string code, string message) => new(StorableText.Of(code, 100), StorableText.Of(message, MaxErrorMessage));

    /// <summary>How a run ended.</summary>
    private abstract record Ending
    {
        public sealed record Success(string Result) : Ending;

        public sealed record Failure(Verdict Verdict, RunEnding How, JobError? Error, TimeSpan Delay) : Ending;

        public sealed record PutBack(bool Counts) : Ending;

        public sealed record Lost : Ending;
    }

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Debug, "Job {JobId} ({JobType}) started, run {Epoch}")]
        public static partial void Started(ILogger logger, Guid jobId, string jobType, int epoch);

        [LoggerMessage(4002, LogLevel.Debug, "Job {JobId} ({JobType}) is {State} after run {Epoch}")]
        public static partial void Ended(ILogger logger, Guid jobId, string jobType, int epoch, JobState state);

        [LoggerMessage(4003, LogLevel.Warning, "Job {JobId} ({JobType}) failed its attempt {Attempt} in run {Epoch}; its error says why. Thrown was {Thrown}")]
        public static partial void Failed(ILogger logger, Guid jobId, string jobType, int epoch, int attempt, string thrown);

        [LoggerMessage(4004, LogLevel.Warning, "Job {JobId} ({JobType}) was lost in run {Epoch}: it belongs to another run by now, and nothing of this one was recorded")]
        public static partial void Lost(ILogger logger, Guid jobId, string jobType, int epoch);

        [LoggerMessage(4005, LogLevel.Warning, "Job {JobId} ({JobType}) is put back in run {Epoch}: {Reason}")]
        public static partial void Interrupted(ILogger logger, Guid jobId, string jobType, int epoch, string reason, Exception error);

        [LoggerMessage(4006, LogLevel.Error, "The end of job {JobId} ({JobType}), run {Epoch}, could not be recorded: {Reason}. The job is put back once this worker counts as gone or its lease is over")]
        public static partial void NotRecorded(ILogger logger, Guid jobId, string jobType, int epoch, string reason);

        [LoggerMessage(4007, LogLevel.Warning, "Job {JobId} has the type {JobType}, which worker {Worker} does not know; after run {Epoch} it waits for one that does")]
        public static partial void UnknownType(ILogger logger, Guid jobId, string jobType, int epoch, string worker);
    }
}
