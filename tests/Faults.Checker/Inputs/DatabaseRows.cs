using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>A row of <c>jobs</c> after the drain.</summary>
public sealed record JobRow
{
    /// <summary>Reads <c>jobs</c>: one column, each row a line of <see cref="HistoryFiles.Jobs"/>.</summary>
    public const string Select = $$"""
        select json_strip_nulls(json_build_object('id', id, 'type', type, 'queue', queue, 'state', state, 'epoch', epoch, 'dispatch', dispatch, 'attempts', attempts,
          'interruptions', interruptions, 'crashes', crashes, 'checkpointSeq', checkpoint_seq, 'cancelRequested', cancel_requested, 'errorCode', error ->> 'code', 'tags', tags,
          'runAt', to_char(run_at at time zone 'utc', {{SqlTime.Format}}), 'createdAt', to_char(created_at at time zone 'utc', {{SqlTime.Format}}),
          'finishedAt', to_char(finished_at at time zone 'utc', {{SqlTime.Format}})))::text
        from jobs order by id
        """;

    public required Guid Id { get; init; }

    public required string Type { get; init; }

    public required string Queue { get; init; }

    public required JobState State { get; init; }

    public required int Epoch { get; init; }

    public required int Dispatch { get; init; }

    public required int Attempts { get; init; }

    public required int Interruptions { get; init; }

    public required int Crashes { get; init; }

    public required int CheckpointSeq { get; init; }

    public required bool CancelRequested { get; init; }

    /// <summary>The <c>code</c> of the job's error.</summary>
    public string? ErrorCode { get; init; }

    public IReadOnlyList<string> Tags { get; init; } = [];

    public DateTime? RunAt { get; init; }

    public required DateTime CreatedAt { get; init; }

    public DateTime? FinishedAt { get; init; }
}

/// <summary>A row of <c>runs</c> after the drain: a run that did not end its job.</summary>
public sealed record RunRow
{
    /// <summary>Reads <c>runs</c>: one column, each row a line of <see cref="HistoryFiles.Runs"/>.</summary>
    public const string Select = $$"""
        select json_strip_nulls(json_build_object('job', job, 'epoch', epoch, 'worker', worker, 'how', how, 'errorCode', error ->> 'code', 'fromSeq', from_seq,
          'startedAt', to_char(started_at at time zone 'utc', {{SqlTime.Format}}), 'endedAt', to_char(ended_at at time zone 'utc', {{SqlTime.Format}}),
          'handoverFrom', to_char(handover_from at time zone 'utc', {{SqlTime.Format}})))::text
        from runs order by job, epoch
        """;

    public required Guid Job { get; init; }

    public required int Epoch { get; init; }

    public Guid? Worker { get; init; }

    /// <summary>How it ended, as the column has it.</summary>
    public required string How { get; init; }

    public string? ErrorCode { get; init; }

    /// <summary>The job's checkpoint number when the run began.</summary>
    public required int FromSeq { get; init; }

    public required DateTime StartedAt { get; init; }

    public required DateTime EndedAt { get; init; }

    /// <summary>When the reason of the hand-over came: SIGTERM, or the dead worker's last pulse.</summary>
    public DateTime? HandoverFrom { get; init; }
}

/// <summary>A row of <c>job_history</c>: what <see cref="HistoryTrigger"/> saw of one write to a job's row.</summary>
public sealed record JobMove
{
    /// <summary>Reads <c>job_history</c>: one column, each row a line of <see cref="HistoryFiles.Moves"/>.</summary>
    public const string Select = $$"""
        select json_strip_nulls(json_build_object('seq', seq, 'transaction', transaction, 'at', to_char(at at time zone 'utc', {{SqlTime.Format}}), 'job', job,
          'oldState', old_state, 'state', state, 'oldEpoch', old_epoch, 'epoch', epoch, 'attempts', attempts, 'interruptions', interruptions, 'crashes', crashes,
          'oldCheckpointSeq', old_checkpoint_seq, 'checkpointSeq', checkpoint_seq, 'cancelRequested', cancel_requested,
          'runAt', to_char(run_at at time zone 'utc', {{SqlTime.Format}})))::text
        from job_history order by seq
        """;

    /// <summary>Rises with each write to one job's row: it is taken under the row's lock.</summary>
    public required long Seq { get; init; }

    /// <summary>The transaction that wrote.</summary>
    public required long Transaction { get; init; }

    /// <summary>The database's clock.</summary>
    public required DateTime At { get; init; }

    public required Guid Job { get; init; }

    /// <summary>Null for the insert.</summary>
    public JobState? OldState { get; init; }

    public required JobState State { get; init; }

    public int? OldEpoch { get; init; }

    public required int Epoch { get; init; }

    public required int Attempts { get; init; }

    public required int Interruptions { get; init; }

    public required int Crashes { get; init; }

    public int? OldCheckpointSeq { get; init; }

    public required int CheckpointSeq { get; init; }

    public required bool CancelRequested { get; init; }

    public DateTime? RunAt { get; init; }

    /// <summary>Whether a worker claimed the job.</summary>
    internal bool IsClaim => State == JobState.Running && OldState is { } old && old != JobState.Running;
}

internal static class SqlTime
{
    public const string Format = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""";
}
