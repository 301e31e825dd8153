using System.Diagnostics;

namespace QueueScale.Tests;

/// <summary>Prometheus's own judge of metrics.</summary>
internal static class PromTool
{
    /// <summary>Finds promtool or prometheus; installs them where we may.</summary>
    public static async Task<string> FindAsync(RunFolder folder, string program = "promtool")
    {
        using var held = await folder.LockAsync(null, CancellationToken.None);
        await AptGet.LetEndAsync(folder, null, CancellationToken.None);
        await Installation.InstallAsync(SearchPath.Find(program) is null ? [(program, "prometheus")] : [], $"with `{program}` on PATH", folder, null, CancellationToken.None);
        return SearchPath.Find(program) ?? throw new LocalProblem($"`{program}` is not on PATH, although the package prometheus is installed.");
    }

    /// <summary>What <c>promtool check metrics</c> has to say of a scrape.</summary>
    public static async Task<string> CheckMetricsAsync(string promtool, string scrape) => (await RunAsync(promtool, ["check", "metrics"], scrape)).Said;

    public static async Task<(int ExitCode, string Said)> RunAsync(string promtool, string[] arguments, string input)
    {
        using var process = Process.Start(new ProcessStartInfo(promtool, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }
}
