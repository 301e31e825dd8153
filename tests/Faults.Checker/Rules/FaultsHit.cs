namespace QueueScale.Faults.Checker;

/// <summary>A fault that strikes nobody proves nothing.</summary>
internal static class FaultsHit
{
    public static IEnumerable<Break> Check(Evidence evidence)
    {
        var least = evidence.History.Options.LeastJobsHit;
        foreach (var fault in evidence.History.Faults.Where(fault => fault.JobsHit < least))
        {
            yield return new(
                $"{fault.Kind} on {fault.Target} struck at {fault.Begun:HH:mm:ss} while {fault.JobsHit} jobs were running or being submitted; it counts from {least}.");
        }
    }
}
