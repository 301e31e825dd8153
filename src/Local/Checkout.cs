namespace QueueScale.Local;

/// <summary>Where this checkout and its built programs are.</summary>
public static class Checkout
{
    /// <summary>The folder of the solution. The launcher names it in QUEUESCALE_ROOT; otherwise it is looked for from the running program upwards.</summary>
    public static string Root { get; } = Find();

    /// <summary>Environment variable: a folder of programs compiled ahead of time. Programs missing from it come from the build's output.</summary>
    public const string ProgramsVariable = "QUEUESCALE_PROGRAMS";

    /// <summary>The dll of a built project, of the configuration that the running program itself was built in.</summary>
    /// <exception cref="LocalProblem">It is not built.</exception>
    public static string ProgramOf(string project)
    {
        if (Environment.GetEnvironmentVariable(ProgramsVariable) is { Length: > 0 } programs && Path.Combine(programs, project + ".dll") is var ahead && File.Exists(ahead)) return ahead;

        var own = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        foreach (var configuration in new[] { own, "release", "debug" })
        {
            var dll = Path.Combine(Root, "artifacts", "bin", project, configuration, project + ".dll");
            if (File.Exists(dll)) return dll;
        }
        throw new LocalProblem($"{project} is not built. Run: dotnet build {Path.Combine(Root, "QueueScale.sln")} -c Release");
    }

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("QUEUESCALE_ROOT") is { Length: > 0 } named) return Path.GetFullPath(named);

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "QueueScale.sln"))) return folder.FullName;
        }
        throw new LocalProblem($"No QueueScale.sln in or above {AppContext.BaseDirectory}. Set QUEUESCALE_ROOT to the folder of the checkout.");
    }
}
