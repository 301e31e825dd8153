namespace QueueScale.Local;

/// <summary>The `dotnet` that starts our programs: the one that runs this process, where it can be told.</summary>
public static class Dotnet
{
    /// <summary>Its path, or plain <c>dotnet</c> for PATH to decide.</summary>
    public static string Host { get; } = Candidates().FirstOrDefault(File.Exists) ?? "dotnet";

    private static IEnumerable<string> Candidates()
    {
        if (Environment.ProcessPath is { } own && Path.GetFileName(own) == "dotnet") yield return own;
        if (Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } host) yield return host;
        // The shared framework lies in ROOT/shared/Microsoft.NETCore.App/VERSION.
        yield return Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location) ?? "/", "../../../dotnet"));
    }
}
