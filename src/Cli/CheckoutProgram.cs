using System.Diagnostics;
using QueueScale.Local;

namespace QueueScale.Cli;

/// <summary>Programs of this checkout that do the work of a command.</summary>
internal static class CheckoutProgram
{
    /// <summary>Runs one on this terminal until its end.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<int> RunAsync(string project, IEnumerable<string> arguments)
    {
        using var program = Process.Start(new ProcessStartInfo(Dotnet.Host, [Checkout.ProgramOf(project), .. arguments]))!;
        await program.WaitForExitAsync(CancellationToken.None); // it hears of Ctrl-C by itself, and stops what it started
        return program.ExitCode;
    }
}
