namespace QueueScale.Faults.Checker;

/// <summary>How long it took after a fault until a run that it cut went on, or, where it cut none, until any job was claimed again.</summary>
/// <param name="Fault">The fault.</param>
/// <param name="Took">From the fault's beginning where work went on while it lasted, else from its end.</param>
/// <param name="Trail">The job whose run was cut.</param>
internal readonly record struct Recovery(Fault Fault, TimeSpan Took, JobTrail? Trail)
{
    /// <summary>A worker pulses each second, and its last pulse stands for the time of its death; the rest is for the clocks.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(1.5);

    private static readonly string[] Cut = ["interrupted", "crashed", "lost"];

    public static List<Recovery> Of(Evidence evidence)
    {
        var faults = evidence.History.Faults.OrderByDescending(fault => fault.Begun).ToArray();
        var recoveries = new List<Recovery>();
        foreach (var trail in evidence.Trails)
        {
            foreach (var run in trail.Runs.Where(run => Cut.Contains(run.How)))
            {
                var cutAt = run.HandoverFrom ?? run.EndedAt;
                if (Array.Find(faults, fault => fault.Begun <= cutAt + Margin && cutAt <= fault.Ended + Margin) is { } fault
                    && trail.Moves.Find(move => move.IsClaim && move.Epoch > run.Epoch) is { } next
                    && next.At >= fault.Begun)
                {
                    recoveries.Add(Between(fault, next.At, trail));
                }
            }
        }

        recoveries.AddRange(OfFaultsThatCutNone(evidence, [.. faults.Except(recoveries.Select(recovery => recovery.Fault))]));
        return recoveries;
    }

    private static IEnumerable<Recovery> OfFaultsThatCutNone(Evidence evidence, Fault[] faults)
    {
        var claims = evidence.Trails.SelectMany(trail => trail.Moves).Where(move => move.IsClaim).Select(move => move.At).Order().ToList();
        foreach (var fault in faults)
        {
            var index = claims.BinarySearch(fault.Ended);
            if ((index < 0 ? ~index : index) is var next && next < claims.Count)
            {
                yield return Between(fault, claims[next], null);
            }
        }
    }

    private static Recovery Between(Fault fault, DateTime wentOn, JobTrail? trail) => new(fault, wentOn - (wentOn < fault.Ended ? fault.Begun : fault.Ended), trail);
}
