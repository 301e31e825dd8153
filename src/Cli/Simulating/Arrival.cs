using QueueScale.Local;

namespace QueueScale.Cli.Simulating;

/// <summary>Jobs that come at one moment.</summary>
/// <param name="At">When, from the start of the trace.</param>
/// <param name="Jobs">How many.</param>
/// <param name="Service">How long each of them runs; null where the trace does not say.</param>
internal readonly record struct Arrival(TimeSpan At, long Jobs, TimeSpan? Service = null)
{
    /// <summary>Reads a trace: the column <c>at</c> and, where it has them, <c>jobs</c> and <c>seconds</c>.</summary>
    /// <returns>In the order of time.</returns>
    public static Arrival[] ReadAll(string file)
    {
        Arrival[] trace = [.. NumberFile.Read(file, ["at"], ["jobs", "seconds"]).Select(Of).Where(arrival => arrival.Jobs > 0).OrderBy(arrival => arrival.At)];
        return trace.Length > 0 ? trace : throw new LocalProblem($"{file} holds no job. Write a line for each moment at which some come, such as 12.5,3 below at,jobs.");

        Arrival Of((int Line, double?[] Values) row)
        {
            var (at, jobs, seconds) = (row.Values[0]!.Value, row.Values[1] ?? 1, row.Values[2]);
            if (at > Simulation.LongestSeconds) throw NumberFile.Wrong(file, row.Line, "at", $"{at} is beyond a day. Write seconds from the start, and simulate a day at a time");
            if (jobs % 1 != 0) throw NumberFile.Wrong(file, row.Line, "jobs", $"{jobs} is no whole number. Write how many jobs come");
            if (seconds == 0) throw NumberFile.Wrong(file, row.Line, "seconds", "0 is no service time. Write for how long one of these jobs runs");
            return new(TimeSpan.FromSeconds(at), (long)jobs, seconds is { } runs ? TimeSpan.FromSeconds(runs) : null);
        }
    }
}
