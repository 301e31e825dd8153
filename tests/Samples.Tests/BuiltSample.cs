using System.Globalization;

namespace QueueScale.Tests;

/// <summary>The packages of this checkout as it is built, and samples/OwnWorker built on them, as in a repository of its own.</summary>
/// <remarks>The version is a new one every time, so that no cache of NuGet holds older code under it.</remarks>
public sealed class BuiltSample : IAsyncLifetime
{
    private static readonly string Folder = Path.Combine(Checkout.Root, "artifacts", "samples-test");
    private static readonly string Configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));

    /// <summary>The version of the packages.</summary>
    public static string Version { get; } = "0.0.0-test." + DateTime.UtcNow.ToString("yyyyMMddHHmmssfff", CultureInfo.InvariantCulture);

    /// <summary>Where the packages are.</summary>
    public static string Packages { get; } = Path.Combine(Folder, "packages");

    /// <summary>What `dotnet pack` printed.</summary>
    public string PackOutput { get; private set; } = "";

    /// <summary>What `dotnet build` printed.</summary>
    public string BuildOutput { get; private set; } = "";

    /// <summary>The dll of the sample's worker or of its tests.</summary>
    public static string ProgramOf(string project) => Path.Combine(Folder, "out", "bin", project, "release", project + ".dll");

    public async ValueTask InitializeAsync()
    {
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }

        // What is packed is what was built with these tests; lock files are left alone.
        PackOutput = await SucceedAsync("pack", "QueueScale.sln", "-c", Configuration, "--no-build", "--no-restore", "-o", Packages,
            $"-p:PackageVersion={Version}", $"-p:NuspecOutputPath={Path.Combine(Folder, "nuspec")}/");

        var project = Path.Combine("samples", "OwnWorker.Tests");
        await RestoreAsync(project);
        BuildOutput = await SucceedAsync(["build", project, "-c", "Release", "--no-restore", "--disable-build-servers", .. Settings]);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string[] Settings => ["--artifacts-path", Path.Combine(Folder, "out"), $"-p:QueueScaleVersion={Version}", $"-p:RestorePackagesPath={Path.Combine(Folder, "cache")}"];

    /// <summary>All other packages were restored for this checkout before, so that no network is needed; where it is needed after all, the machine's sources are asked.</summary>
    private static async Task RestoreAsync(string project)
    {
        var cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } named ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        string[] restore = ["restore", project, .. Settings, $"-p:RestoreFallbackFolders={cache}"];
        var (exitCode, _) = await Sdk.RunAsync([.. restore, $"-p:RestoreSources={Packages}"]);
        if (exitCode != 0)
        {
            Directory.CreateDirectory(Path.Combine(Checkout.Root, "artifacts", "packages")); // samples/nuget.config names it
            await SucceedAsync([.. restore, $"-p:RestoreAdditionalProjectSources={Packages}"]);
        }
    }

    private static async Task<string> SucceedAsync(params string[] arguments)
    {
        var (exitCode, output) = await Sdk.RunAsync(arguments);
        return exitCode == 0 ? output : throw new InvalidOperationException($"dotnet {string.Join(' ', arguments)} ended with {exitCode}:\n{output}");
    }
}
