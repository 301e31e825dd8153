using System.ComponentModel;
using System.Diagnostics;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>A program that is run to its end for what it prints.</summary>
internal static class ProgramRun
{
    /// <returns>Its output.</returns>
    /// <exception cref="LocalProblem">There is no such program, or it failed; says with which words.</exception>
    public static async Task<string> OutputAsync(string program, IEnumerable<string> arguments, CancellationToken stop)
    {
        var info = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Checkout.Root };
        try
        {
            using var process = Process.Start(info)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(stop), process.StandardError.ReadToEndAsync(stop));
            await process.WaitForExitAsync(stop);
            return process.ExitCode == 0 ? await output : throw new LocalProblem($"`{program} {info.ArgumentList[0]}` failed: {(await error).Trim()}\n{(await output).Trim()}".TrimEnd());
        }
        catch (Win32Exception problem)
        {
            throw new LocalProblem($"Cannot run `{program}`: {problem.Message}. Is it installed?", problem);
        }
    }
}
