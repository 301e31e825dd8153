using System.Diagnostics;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>Renders the overlays by <c>kubectl kustomize</c>, which asks no cluster.</summary>
internal static partial class Kustomize
{
    private static readonly Lazy<Task<string?>> Kubectl = new(FindAsync);
    private static readonly Lazy<Task<string>> Prod = new(() => RenderAsync(Overlay("prod")));

    /// <summary>The folder of an overlay.</summary>
    public static string Overlay(string name) => Path.Combine(Checkout.Root, "k8s", "overlays", name);

    /// <summary>overlays/prod as it is, rendered once.</summary>
    public static Task<string> ProdAsync() => Prod.Value;

    /// <summary>Skips the test where there is no kubectl that can do it.</summary>
    public static async Task<string> RenderAsync(string folder)
    {
        var kubectl = await Kubectl.Value;
        Assert.SkipUnless(kubectl is not null, "Manifests are rendered by kubectl 1.21 or newer (kustomize 4.1), and there is none on PATH: https://kubernetes.io/docs/tasks/tools/");
        var (exitCode, output, error) = await RunAsync(kubectl!, "kustomize", folder);
        Assert.True(exitCode == 0, $"kubectl kustomize {folder}: {error}");
        return output;
    }

    private static async Task<string?> FindAsync()
    {
        if (SearchPath.Find("kubectl") is not { } kubectl) return null;
        var (_, said, _) = await RunAsync(kubectl, "version", "--client", "--output=json");
        return Version().Match(said) is { Success: true } version && new Version($"{version.Groups["major"]}.{version.Groups["minor"]}") >= new Version(1, 21) ? kubectl : null;
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }

    [GeneratedRegex("\"gitVersion\": *\"v(?<major>\\d+)\\.(?<minor>\\d+)")]
    private static partial Regex Version();
}
