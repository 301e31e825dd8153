namespace QueueScale.Faults.Checker;

/// <summary>C6: every answer to a submission under the same idempotency key names the same job. That the key has made no further one is C1's: nobody would have submitted it.</summary>
internal static class SameKeySameJob
{
    public static IEnumerable<Break> Check(Evidence evidence) =>
        from calls in evidence.Submissions.Where(call => call is { Token: not null, Outcome: Phase.Ok }).GroupBy(call => call.Token)
        let jobs = calls.Select(call => call.Job).Distinct().ToArray()
        where jobs.Length > 1
        select new Break($"Repeats of {calls.Key} were answered with {jobs.Length} jobs.", evidence.Trails.First(trail => trail.Job == jobs[1]));
}
