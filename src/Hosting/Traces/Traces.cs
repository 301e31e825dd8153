using System.Diagnostics;

namespace QueueScale.Hosting;

/// <summary>QueueScale's own spans, and the names of what they carry. docs/telemetry.md lists them; a test holds that page against these constants.</summary>
public static class Traces
{
    /// <summary>The name of <see cref="Source"/>.</summary>
    public const string SourceName = "QueueScale";

    /// <summary>What a span of a run is called, before the name of its queue.</summary>
    public const string Process = "process";

    /// <summary>Event: a checkpoint was committed.</summary>
    public const string CheckpointEvent = "checkpoint";

    /// <summary>Event: the handler threw what it did not mean to. Named by OpenTelemetry.</summary>
    public const string ExceptionEvent = "exception";

    public const string System = "messaging.system";
    public const string Operation = "messaging.operation.name";
    public const string OperationType = "messaging.operation.type";
    public const string Queue = "messaging.destination.name";
    public const string JobId = "messaging.message.id";
    public const string JobType = "queuescale.job.type";
    public const string JobAttempt = "queuescale.job.attempt";
    public const string JobState = "queuescale.job.state";
    public const string RunEpoch = "queuescale.run.epoch";
    public const string RunAfter = "queuescale.run.after";
    public const string RunFrom = "queuescale.run.from_checkpoint";
    public const string RunEnding = "queuescale.run.ending";
    public const string RunCheckpoints = "queuescale.run.checkpoints";
    public const string CheckpointSeq = "queuescale.checkpoint.seq";
    public const string CheckpointKind = "queuescale.checkpoint.kind";
    public const string ErrorType = "error.type";
    public const string ExceptionType = "exception.type";
    public const string ExceptionStack = "exception.stacktrace";

    public static readonly ActivitySource Source = new(SourceName);
}
