using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>A project with tests: one below <c>tests</c> that references the package xunit.v3, and so is a program that runs them.</summary>
/// <param name="Name">Its assembly.</param>
/// <param name="Folder">Where it is.</param>
/// <param name="RunsAlone">Whether nothing else may run beside it: its project file sets <c>RunsAlone</c>.</param>
/// <param name="StartsFirst">Whether it takes so long that all would wait for it, were it begun late: its project file sets <c>StartsFirst</c>.</param>
internal sealed record TestProject(string Name, string Folder, bool RunsAlone, bool StartsFirst)
{
    /// <summary>Its short name: the folder's path below the checkout.</summary>
    public string Title => Path.GetRelativePath(Checkout.Root, Folder);

    public static IReadOnlyList<TestProject> All() =>
        [.. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "tests"), "*.csproj", SearchOption.AllDirectories)
            .Select(project => (Path: project, Text: File.ReadAllText(project)))
            .Where(project => project.Text.Contains("\"xunit.v3\"", StringComparison.Ordinal))
            .Select(project => new TestProject(
                Path.GetFileNameWithoutExtension(project.Path), Path.GetDirectoryName(project.Path)!, Sets(project.Text, nameof(RunsAlone)), Sets(project.Text, nameof(StartsFirst))))
            .OrderByDescending(project => project.StartsFirst).ThenBy(project => project.Title, StringComparer.Ordinal)];

    private static bool Sets(string project, string property) => project.Contains($"<{property}>true</{property}>", StringComparison.Ordinal);

    /// <summary>Whether <paramref name="wanted"/> names it: its name, or a part of it.</summary>
    public bool IsNamed(string wanted) =>
        Name.Contains(wanted, StringComparison.OrdinalIgnoreCase) || Title.Contains(wanted.TrimEnd('/'), StringComparison.OrdinalIgnoreCase);
}
