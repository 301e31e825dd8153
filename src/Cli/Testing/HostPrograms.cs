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
        string[] arguments = ["publish", Path.Combine(Checkout.Root, "tests", "Hosts"), "-c", "Release", "--no-build", "--nologo", "--verbosity", "quiet", "-nodeReuse:false"];
        using var process = Process.Start(new ProcessStartInfo(Dotnet.Host, arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        if (process.ExitCode != 0) throw new LocalProblem($"The programs that tests start could not be compiled ahead:\n{output}");
        tell("programs", $"compiled ahead in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
        return Path.Combine(Checkout.Root, "artifacts", "programs");
    }
}
