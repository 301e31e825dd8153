using System.Diagnostics;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>The programs that tests start, compiled ahead of time into one folder: <c>tests/Hosts</c>.</summary>
internal static class HostPrograms
{
    /// <summary>Publishes them; what has not changed since the last time is kept.</summary>
    /// <returns>The folder.</returns>
    /// <exception cref="LocalProblem">A compiler failed: with its last lines.</exception>
    public static async Task<string?> PublishAsync(Tell tell, CancellationToken stop)
    {
        var began = Stopwatch.GetTimestamp();
        string[] line = [Dotnet.Host, "publish", Path.Combine("tests", "Hosts"), "-c", "Release", "--no-build", "--nologo", "--verbosity", "quiet", "-nodeReuse:false"];
        await ProgramRun.OutputAsync(line, folder: Checkout.Root, cancellation: stop); // global.json there names the SDK
        tell("programs", $"compiled ahead in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
        return Path.Combine(Checkout.Root, "artifacts", "programs");
    }
}
