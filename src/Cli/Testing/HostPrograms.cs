using System.Diagnostics;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>The programs that tests start, compiled ahead of time into one folder: <c>tests/Hosts</c>.</summary>
internal static class HostPrograms
{
    /// <summary>Publishes what has changed since the last time.</summary>
    /// <returns>The folder.</returns>
    /// <exception cref="LocalProblem">A compiler failed; says how.</exception>
    public static async Task<string> PublishAsync(Tell tell, CancellationToken stop)
    {
        var began = Stopwatch.GetTimestamp();
        await ProgramRun.OutputAsync(Dotnet.Host, ["publish", Path.Combine("tests", "Hosts"), "-c", "Release", "--no-build", "--nologo", "--verbosity", "quiet", "-nodeReuse:false"], stop);
        tell("programs", $"compiled ahead in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
        return Path.Combine(Checkout.Root, "artifacts", "programs");
    }
}
