using System.ComponentModel;
using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>A program that is run to its end.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to its output.</param>
/// <param name="Error">What it wrote to its error output.</param>
public sealed record ProgramRun(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>Runs a program.</summary>
    /// <param name="line">The program and its arguments.</param>
    /// <param name="environment">Variables besides those of this process.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="cancellation">Kills it.</param>
    /// <exception cref="LocalProblem">There is no such program.</exception>
    public static async Task<ProgramRun> RunAsync(
        IReadOnlyList<string> line, IReadOnlyDictionary<string, string?>? environment = null, string folder = "/", CancellationToken cancellation = default)
    {
        var info = new ProcessStartInfo(line[0], line.Skip(1))
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in environment ?? new Dictionary<string, string?>()) info.Environment[variable] = value;

        using var process = Begin(info);
        process.StandardInput.Close();
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellation);
            var error = process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return new(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>Runs a program that must succeed.</summary>
    /// <returns>What it wrote to its output.</returns>
    /// <exception cref="LocalProblem">There is no such program, or it failed: with the last lines that it wrote.</exception>
    public static async Task<string> OutputAsync(
        IReadOnlyList<string> line, IReadOnlyDictionary<string, string?>? environment = null, string folder = "/", CancellationToken cancellation = default)
    {
        var run = await RunAsync(line, environment, folder, cancellation);
        return run.Succeeded
            ? run.Output.Trim()
            : throw new LocalProblem($"`{string.Join(' ', line)}` failed:\n  {string.Join("\n  ", (run.Output + run.Error).Trim().Split('\n').TakeLast(12))}");
    }

    private static Process Begin(ProcessStartInfo info)
    {
        try
        {
            return Process.Start(info)!;
        }
        catch (Win32Exception error)
        {
            throw new LocalProblem($"Cannot run `{info.FileName}`: {error.Message}. Is it installed?", error);
        }
    }
}
