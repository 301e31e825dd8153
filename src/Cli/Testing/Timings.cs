using System.Diagnostics;
using System.Globalization;

namespace QueueScale.Cli.Testing;

/// <summary>What took how long in a test run, for <c>--timings</c>. Several projects may report at once.</summary>
internal sealed class Timings
{
    private const int SlowestShown = 30;

    private readonly Lock _turn = new();
    private readonly List<Entry> _projects = [];
    private readonly List<Entry> _fixtures = [];
    private readonly List<Entry> _tests = [];
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly CpuTimes _cpuAtStart = CpuTimes.Read();

    private sealed record Entry(string Name, double Seconds);

    public void Project(string title, double seconds) => Add(_projects, title, seconds);

    /// <summary>The start or the end of what a class, a collection or a project shares among its tests.</summary>
    public void Fixture(string name, double seconds) => Add(_fixtures, name, seconds);

    public void Test(string name, double seconds) => Add(_tests, name, seconds);

    public void Print(TextWriter output)
    {
        var elapsed = Stopwatch.GetElapsedTime(_began).TotalSeconds;
        var cpu = CpuTimes.Read() - _cpuAtStart;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Timings: {elapsed:0} s, of which the processors were idle for {100 * cpu.IdleShare:0} %"));
        Print(output, $"Projects ({_projects.Sum(project => project.Seconds):0} s, several at once)", _projects, int.MaxValue);
        Print(output, $"Fixtures: start and end ({_fixtures.Sum(fixture => fixture.Seconds):0} s in all), the slowest {SlowestShown}", _fixtures, SlowestShown);
        Print(output, $"Tests ({_tests.Sum(test => test.Seconds):0} s in all), the slowest {SlowestShown}", _tests, SlowestShown);
    }

    private static void Print(TextWriter output, string title, IEnumerable<Entry> entries, int most)
    {
        output.WriteLine();
        output.WriteLine(title);
        foreach (var entry in entries.OrderByDescending(entry => entry.Seconds).Take(most)) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{entry.Seconds,9:0.0} s  {entry.Name}"));
    }

    private void Add(List<Entry> entries, string name, double seconds)
    {
        lock (_turn) entries.Add(new(name, seconds));
    }
}

/// <summary>What all processors of this machine have done since it started, in ticks.</summary>
internal readonly record struct CpuTimes(long All, long Idle)
{
    public double IdleShare => All == 0 ? 0 : (double)Idle / All;

    public static CpuTimes operator -(CpuTimes later, CpuTimes earlier) => new(later.All - earlier.All, later.Idle - earlier.Idle);

    /// <summary>Reads <c>/proc/stat</c>; waiting for a disk counts as idle.</summary>
    public static CpuTimes Read()
    {
        // cpu  user nice system idle iowait irq softirq steal ...
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return new(fields.Sum(), fields[3] + fields[4]);
    }
}
