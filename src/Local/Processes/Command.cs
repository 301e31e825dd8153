using System.ComponentModel;
using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>A program that is run to its end.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to its output.</param>
/// <param name="Error">What it wrote to its error output.</param>
internal sealed record Command(int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>Runs <paramref name="line"/>, a program and its arguments.</summary>
    /// <exception cref="LocalProblem">There is no such program.</exception>
    public static async Task<Command> RunAsync(
        IReadOnlyList<string> line, IReadOnlyDictionary<string, string?>? environment = null, CancellationToken cancellation = default)
    {
        var info = new ProcessStartInfo(line[0], line.Skip(1))
        {
            WorkingDirectory = "/",
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
