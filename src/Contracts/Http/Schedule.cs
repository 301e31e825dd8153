namespace QueueScale.Contracts;

/// <summary>What a schedule shall be: the body of <c>PUT /v1/schedules/{name}</c>.</summary>
public sealed record PutSchedule
{
    /// <summary>When it ticks: minute, hour, day of the month, month and day of the week, as in crontab.</summary>
    public required string Cron { get; init; }

    /// <summary>Where its hours and days are those of the clocks: an IANA name such as <c>Europe/Berlin</c>. Absent means <c>UTC</c>.</summary>
    public string? TimeZone { get; init; }

    /// <summary>What each tick submits, without <c>runAt</c> and <c>delay</c>.</summary>
    public required SubmitJob Job { get; init; }

    /// <summary>Whether it stands still. Absent means that it ticks.</summary>
    public bool? Paused { get; init; }
}

/// <summary>A schedule: each of its ticks makes exactly one job. Times are UTC; absent members have no value.</summary>
public sealed record Schedule
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>When it ticks: minute, hour, day of the month, month and day of the week.</summary>
    public required string Cron { get; init; }

    /// <summary>The time zone of its hours and days.</summary>
    public required string TimeZone { get; init; }

    /// <summary>What each tick submits, with what its type said when the schedule was put.</summary>
    public required SubmitJob Job { get; init; }

    /// <summary>Whether it stands still.</summary>
    public required bool Paused { get; init; }

    /// <summary>The next tick; absent while it stands still.</summary>
    public DateTime? NextAt { get; init; }

    /// <summary>The last tick that made a job.</summary>
    public DateTime? LastAt { get; init; }

    /// <summary>The job that it made.</summary>
    public Guid? LastJob { get; init; }

    /// <summary>Where to read on, relative to the API's address.</summary>
    public required ScheduleLinks Links { get; init; }
}

/// <summary>Addresses of a schedule.</summary>
/// <param name="Self">The schedule.</param>
/// <param name="LastJob">The job of its last tick.</param>
public sealed record ScheduleLinks(string Self, string? LastJob = null);
