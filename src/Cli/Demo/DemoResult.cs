namespace QueueScale.Cli.Demo;

/// <summary>What <c>demo --json</c> prints.</summary>
/// <param name="State">The job's final state.</param>
/// <param name="Rows">Rows in the table.</param>
/// <param name="ExpectedRows">Rows in the file.</param>
/// <param name="ChecksumOk">Whether the checksums over the file's and the table's rows are the same.</param>
/// <param name="Handovers">Runs that took over from another worker.</param>
/// <param name="HandoverSeconds">How long the first of these hand-overs took, from its reason to the next run's start.</param>
/// <param name="Workers">The workers that ran it, in order.</param>
/// <param name="Seconds">From the submission to the end.</param>
/// <param name="Error">What went wrong; absent when all is well.</param>
internal sealed record DemoResult(
    string State, long Rows, long ExpectedRows, bool ChecksumOk, int Handovers, double? HandoverSeconds, IReadOnlyList<string> Workers, double Seconds, string? Error = null);
