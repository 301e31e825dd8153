using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Faults;

/// <summary>A wall clock that is wrong by some time, for processes that are started with it. Their monotonic clock stays right.</summary>
/// <remarks>By libfaketime, which stands between a program and the C library.</remarks>
public sealed partial class FakeClock : IDisposable
{
    private readonly string _file;

    /// <summary>A clock that is so much ahead; behind, when negative. Whole seconds.</summary>
    /// <exception cref="LocalProblem">libfaketime is not installed.</exception>
    public FakeClock(TimeSpan ahead)
    {
        var library = FaultPrograms.FakeTime;
        foreach (var left in Directory.EnumerateFiles(Path.GetTempPath(), OwnName.Prefix + "*").Where(file => OwnName.IsLeft(Path.GetFileName(file)))) File.Delete(left);
        RemoveMemoryOfTheDead();

        _file = Path.Combine(Path.GetTempPath(), OwnName.Next());
        Jump(ahead);
        Environment = new Dictionary<string, string?>
        {
            ["LD_PRELOAD"] = library,
            ["FAKETIME"] = null, // would go before the file
            ["FAKETIME_TIMESTAMP_FILE"] = _file,
            ["FAKETIME_CACHE_DURATION"] = "1",
            // Without these .NET's waits end at once while the clock is ahead, and never after a jump back.
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0",
            ["NO_FAKE_STAT"] = "1",
        };
    }

    /// <summary>For the processes that shall have it.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; }

    /// <summary>Puts the clock of running processes so much ahead of the right time. They see it within a second.</summary>
    public void Jump(TimeSpan ahead)
    {
        var next = _file + ".next";
        File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"{ahead.TotalSeconds:+0;-0;+0}\n"));
        File.Move(next, _file, overwrite: true); // never seen half written
    }

    /// <summary>Forgets it. Running processes keep the last time.</summary>
    public void Dispose()
    {
        File.Delete(_file);
        RemoveMemoryOfTheDead();
    }

    // The library makes shared memory for each first process and removes it when that one ends, unless it is killed.
    private static void RemoveMemoryOfTheDead()
    {
        foreach (var file in Directory.EnumerateFiles("/dev/shm", "*faketime_s*"))
        {
            if (Made().Match(Path.GetFileName(file)) is { Success: true } made && ProcessStat.TryRead(int.Parse(made.Groups[1].Value, CultureInfo.InvariantCulture)) is not { IsAlive: true }) File.Delete(file);
        }
    }

    [GeneratedRegex(@"^(?:faketime_shm|sem\.faketime_sem)_(\d+)$")]
    private static partial Regex Made();
}
