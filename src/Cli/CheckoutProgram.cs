using System.Diagnostics;
using QueueScale.Local;

namespace QueueScale.Cli;

/// <summary>Programs of this checkout that do the work of a command.</summary>
internal static class CheckoutProgram
{
    /// <summary>Runs one on this terminal until its end.</summary>
    /// <param name="project">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables that it gets beside those of this process; one that is null it does not get.</param>
    /// <returns>Its exit code.</returns>
    public static async Task<int> RunAsync(string project, IEnumerable<string> arguments, Dictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf(project), .. arguments]);
        foreach (var (variable, value) in environment ?? []) start.Environment[variable] = value;
        using var program = Process.Start(start)!;
        await program.WaitForExitAsync(CancellationToken.None); // it hears of Ctrl-C by itself, and stops what it started
        return program.ExitCode;
    }
}
