using System.Diagnostics.Metrics;
using System.Globalization;

namespace QueueScale.Hosting;

/// <summary>How much memory this process may use before it is killed.</summary>
/// <remarks>Not <see cref="GCMemoryInfo.TotalAvailableMemoryBytes"/>: within a container the garbage collector calls only three quarters of the limit available.</remarks>
public static class MemoryLimit
{
    /// <param name="meter">The meter of the process.</param>
    public static void CreateGauge(Meter meter) =>
        meter.CreateObservableGauge("queuescale.memory.limit", () => Read() is { } bytes ? [new Measurement<long>(bytes)] : (Measurement<long>[])[], "By", "Memory that this process may use: the limit of its container, else all of the machine.");

    /// <summary>The least limit of its control groups and of the machine, in bytes; null where there is no Linux.</summary>
    /// <param name="proc">The folder that describes processes.</param>
    /// <param name="cgroups">The folder of the control groups.</param>
    public static long? Read(string proc = "/proc", string cgroups = "/sys/fs/cgroup")
    {
        try
        {
            return File.ReadLines(Path.Combine(proc, "self", "cgroup")).SelectMany(line => OfGroup(line.Split(':', 3), cgroups)).Append(OfMachine(proc)).Min();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // unknown is absent
        }
    }

    /// <summary>The limits of a group and of those around it. Seen from within a container, only the outermost folder may be there.</summary>
    private static IEnumerable<long> OfGroup(string[] line, string cgroups)
    {
        var file = line switch
        {
            ["0", "", var path] => (Root: cgroups, Path: path, Name: "memory.max"),
            [_, var controllers, var path] when controllers.Split(',').Contains("memory") => (Root: Path.Combine(cgroups, "memory"), Path: path, Name: "memory.limit_in_bytes"),
            _ => default,
        };
        for (var group = file.Path?.Trim('/'); group is not null; group = Path.GetDirectoryName(group))
        {
            var limit = Path.Combine(file.Root, group, file.Name);
            if (File.Exists(limit) && long.TryParse(File.ReadAllText(limit), CultureInfo.InvariantCulture, out var bytes)) // "max" is none
            {
                yield return bytes;
            }
        }
    }

    private static long OfMachine(string proc) =>
        1024 * long.Parse(File.ReadLines(Path.Combine(proc, "meminfo")).First(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
