namespace QueueScale.Jobs;

/// <summary>The job types that come with QueueScale.</summary>
public static class BuiltInJobs
{
    /// <summary>Their handlers' types.</summary>
    /// <param name="probes">Whether to include the <c>probe.*</c> types.</param>
    public static IEnumerable<Type> All(bool probes) => probes
        ? [typeof(CsvImport), typeof(NoopProbe), typeof(SleepProbe), typeof(FailProbe), typeof(CrashProbe)]
        : [typeof(CsvImport)];
}
