using QueueScale.Local;

namespace QueueScale.Cli.Simulating;

/// <summary>What was measured at one moment of a run.</summary>
/// <param name="At">Seconds from the start.</param>
/// <param name="Age">Seconds for which the oldest ready job had been ready.</param>
/// <param name="Workers">Workers that took jobs; null where that was not recorded.</param>
internal readonly record struct RecordedPoint(double At, double Age, double? Workers);

/// <summary>A measured run, to hold a prediction against.</summary>
/// <param name="Points">In the order of time.</param>
internal sealed record RecordedRun(IReadOnlyList<RecordedPoint> Points)
{
    /// <summary>Reads one: the columns <c>at</c>, <c>age</c> and, where it has it, <c>workers</c>.</summary>
    public static RecordedRun Read(string file)
    {
        RecordedPoint[] points = [.. NumberFile.Read(file, ["at", "age"], ["workers"]).Select(Of).OrderBy(point => point.At)];
        return points.Any(point => point.Age > 0) ? new(points) : throw new LocalProblem($"{file}: the age is never above 0, so there is nothing to compare with. Record a run with a backlog.");

        RecordedPoint Of((int Line, double?[] Values) row) => row.Values[0] <= Simulation.LongestSeconds
            ? new(row.Values[0]!.Value, row.Values[1]!.Value, row.Values[2])
            : throw NumberFile.Wrong(file, row.Line, "at", $"{row.Values[0]} is beyond a day. Write seconds from the start of the trace");
    }

    /// <summary>By how much a prediction is off.</summary>
    public Difference DifferenceOf(IReadOnlyList<PredictedPoint> predicted)
    {
        var greatest = Points.Max(point => point.Age);
        var mean = Points.Average(point =>
        {
            var second = (int)point.At;
            return Math.Abs(AgeAt(second) + ((point.At - second) * (AgeAt(second + 1) - AgeAt(second))) - point.Age);
        });
        return new(greatest, mean, mean / greatest, Points.Average(point => point.Workers is { } workers ? Math.Abs(WorkersAt((int)point.At) - workers) : (double?)null));

        double AgeAt(int second) => second < predicted.Count ? predicted[second].OldestSeconds : 0; // it ends when nothing waits

        int WorkersAt(int second) => predicted[Math.Min(second, predicted.Count - 1)].Workers;
    }
}

/// <summary>By how much a prediction is off.</summary>
/// <param name="GreatestAgeSeconds">The greatest age that was recorded.</param>
/// <param name="MeanSeconds">The mean, over all recorded moments, of the predicted minus the recorded age without its sign; between two seconds the predicted age is on the line between them.</param>
/// <param name="Part">The one as a part of the other.</param>
/// <param name="MeanWorkers">As MeanSeconds, of the workers; null where none were recorded.</param>
internal sealed record Difference(double GreatestAgeSeconds, double MeanSeconds, double Part, double? MeanWorkers);
