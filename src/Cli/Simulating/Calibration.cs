namespace QueueScale.Cli.Simulating;

/// <summary>Finds the service time and the start-up delay with which a prediction is nearest to a recorded run.</summary>
/// <remarks>Tries a coarse net over all that is likely, then ever finer ones around the best of it: the difference has too many steps and hollows for a slope to lead anywhere.
/// Where workers were recorded they count as much as the age: four workers and one that is four times as fast look much alike in the age alone.</remarks>
internal static class Calibration
{
    /// <summary>Knots of the coarse net around which finer ones are laid.</summary>
    private const int Hollows = 8;

    private const int Rounds = 8;

    /// <summary>The coarse net: from a millisecond to about two hours, each half as much again as the one before.</summary>
    private static readonly double[] Services = [.. Enumerable.Range(0, 40).Select(power => 0.001 * Math.Pow(1.5, power))];

    private static readonly double[] StartUps = [0, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60, 90];

    private static readonly int[] Around = [0, -1, 1, -2, 2];

    /// <param name="trace">What came.</param>
    /// <param name="system">What it came to.</param>
    /// <param name="service">The service time where it is known, else null.</param>
    /// <param name="startUp">The start-up delay where it is known, else null.</param>
    /// <param name="recorded">What was measured.</param>
    /// <param name="stop">Ends it early, by an exception.</param>
    /// <returns>The system with both values.</returns>
    public static SimulatedSystem Find(Arrival[] trace, SimulatedSystem system, double? service, double? startUp, RecordedRun recorded, CancellationToken stop)
    {
        var longest = (int)recorded.Points[^1].At + 1;
        var mostWorkers = Math.Max(1, recorded.Points.Max(point => point.Workers) ?? 1);
        var coarse = Net(service is { } known ? [known] : Services, startUp is { } given ? [given] : StartUps);
        return With(coarse.OrderBy(knot => knot.Distance).Take(Hollows).Select(Refined).MinBy(knot => knot.Distance));

        Knot Refined(Knot best)
        {
            var (ratio, width) = (1.5, Math.Max(1, best.StartUp / 2));
            for (var round = 0; round < Rounds; round++)
            {
                (ratio, width) = (Math.Sqrt(ratio), width / 2);
                best = Net(
                    service is null ? [.. Around.Select(step => best.Service * Math.Pow(ratio, step))] : [best.Service],
                    startUp is null ? [.. Around.Select(step => Math.Max(0, best.StartUp + (step * width)))] : [best.StartUp]).MinBy(knot => knot.Distance);
            }

            return best;
        }

        Knot[] Net(double[] services, double[] startUps) =>
            [.. services.SelectMany(_ => startUps, (one, other) => new Knot(one, other)).Select(knot => knot with { Distance = DistanceOf(knot) })];

        double DistanceOf(Knot knot)
        {
            var difference = recorded.DifferenceOf(Simulation.Predict(trace, With(knot), longest, stop).Points);
            return difference.Part + ((difference.MeanWorkers ?? 0) / mostWorkers);
        }

        SimulatedSystem With(Knot knot) => system with { Service = TimeSpan.FromSeconds(knot.Service), StartUp = TimeSpan.FromSeconds(knot.StartUp) };
    }

    private readonly record struct Knot(double Service, double StartUp, double Distance = 0);
}
