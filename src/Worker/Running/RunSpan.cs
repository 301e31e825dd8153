using System.Diagnostics;
using System.Text.Json;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>The span of one run, in the trace of the request that submitted its job. While nobody listens there is none. Names: docs/telemetry.md.</summary>
internal sealed class RunSpan : IDisposable
{
    /// <summary>Checkpoints that become events, as many as OpenTelemetry keeps of a span by default. Further ones are only counted: a run may last for days.</summary>
    private const int MaxEvents = 128;

    private readonly Activity span;
    private int checkpoints;

    private RunSpan(Activity span) => this.span = span;

    /// <summary>What the next run links to; null where the span is not kept.</summary>
    public string? Context => span.Recorded ? span.Id : null;

    /// <summary>Begins the span of a run and makes it the current one.</summary>
    public static RunSpan? Begin(LiveRun run)
    {
        if (!Traces.Source.HasListeners())
        {
            return null;
        }

        var job = run.Job;
        var submission = TraceContext.Read(job.Trace);
        var tags = new TagList
        {
            { Traces.System, "queuescale" },
            { Traces.Operation, Traces.Process },
            { Traces.OperationType, Traces.Process },
            { Traces.Queue, job.Queue },
            { Traces.JobId, job.Id.ToString() },
            { Traces.JobType, job.Type },
            { Traces.JobAttempt, run.Attempt },
            { Traces.RunEpoch, job.Epoch },
            { Traces.RunFrom, job.CheckpointSeq },
        };
        var before = default(ActivityContext);
        if (job.Earlier is { } earlier)
        {
            tags.Add(Traces.RunAfter, Word(earlier.How));
            before = TraceContext.Read(earlier.Span ?? job.Trace); // a worker that died left no span behind
        }

        return Traces.Source.StartActivity($"{Traces.Process} {job.Queue}", ActivityKind.Consumer, submission, tags, before == default ? null : [new ActivityLink(before)]) is { } span ? new RunSpan(span) : null;
    }

    /// <summary>A checkpoint was committed.</summary>
    public void Checkpointed(int seq, object? kind)
    {
        if (++checkpoints <= MaxEvents && span.IsAllDataRequested)
        {
            span.AddEvent(new ActivityEvent(Traces.CheckpointEvent, tags: new ActivityTagsCollection { { Traces.CheckpointSeq, seq }, { Traces.CheckpointKind, kind } }));
        }
    }

    /// <summary>The handler threw what it did not mean to.</summary>
    /// <param name="error">Of this, the type alone is told: its message may quote the job's input.</param>
    /// <param name="stack">Where it was thrown.</param>
    public void Threw(Exception error, string stack)
    {
        if (span.IsAllDataRequested)
        {
            span.AddEvent(new ActivityEvent(Traces.ExceptionEvent, tags: new ActivityTagsCollection { { Traces.ExceptionType, error.GetType().FullName }, { Traces.ExceptionStack, stack } }));
        }
    }

    /// <summary>The end of the run is recorded, or will never be.</summary>
    /// <param name="how">How it ended.</param>
    /// <param name="state">What its job is now; null where the run does not know.</param>
    /// <param name="error">The code of what went wrong.</param>
    public void Ended(RunEnding how, JobState? state, string? error = null)
    {
        span.SetTag(Traces.RunEnding, Word(how));
        span.SetTag(Traces.RunCheckpoints, checkpoints);
        if (state is { } now)
        {
            span.SetTag(Traces.JobState, JsonNamingPolicy.CamelCase.ConvertName(now.ToString()));
        }

        if (error is not null)
        {
            span.SetTag(Traces.ErrorType, error);
            span.SetStatus(ActivityStatusCode.Error);
        }
    }

    /// <summary>Ends the span.</summary>
    public void Dispose() => span.Dispose();

    private static string Word(RunEnding how) => JsonNamingPolicy.CamelCase.ConvertName(how.ToString());
}
