namespace QueueScale.Cli.Simulating;

/// <summary>What is expected of a trace.</summary>
/// <param name="Points">Second by second, from 0 on.</param>
/// <param name="Summary">What stands out.</param>
internal sealed record Prediction(IReadOnlyList<PredictedPoint> Points, PredictedSummary Summary);

/// <summary>A queue and its workers at the end of one second, as the API would count them.</summary>
/// <param name="At">Seconds from the start.</param>
/// <param name="Arrived">Jobs that have come so far.</param>
/// <param name="Ready">Jobs that wait for a worker.</param>
/// <param name="Running">Jobs that a worker runs.</param>
/// <param name="OldestSeconds">For how long the oldest ready job has been ready; 0 when none is.</param>
/// <param name="Workers">Workers that take jobs.</param>
internal readonly record struct PredictedPoint(int At, long Arrived, long Ready, int Running, double OldestSeconds, int Workers);

/// <param name="GreatestBacklog">Ready and running jobs, at most.</param>
/// <param name="GreatestAgeSeconds">The longest that a job was ready until a worker took it, or until the end.</param>
/// <param name="DoneSeconds">When the last job ended; absent where jobs are left at the end.</param>
/// <param name="WorkerSeconds">Workers times seconds; a worker counts from the decision that it shall be there to the one that it shall go.</param>
/// <param name="SecondsAboveTarget">For how long the oldest ready job was older than the target drain time.</param>
/// <param name="Endless">Why the backlog does not end; absent where it does.</param>
internal sealed record PredictedSummary(
    long GreatestBacklog, double GreatestAgeSeconds, double? DoneSeconds, double WorkerSeconds, double SecondsAboveTarget, string? Endless = null);
