using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>A project with tests: one below <c>tests</c> that references the package xunit.v3, and so is a program that runs them.</summary>
internal sealed record TestProject(string Name, string Folder)
{
    /// <summary>Its short name: the folder's path below the checkout.</summary>
    public string Title => Path.GetRelativePath(Checkout.Root, Folder);

    public static IReadOnlyList<TestProject> All() =>
        [.. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "tests"), "*.csproj", SearchOption.AllDirectories)
            .Where(project => File.ReadAllText(project).Contains("\"xunit.v3\"", StringComparison.Ordinal))
            .Select(project => new TestProject(Path.GetFileNameWithoutExtension(project), Path.GetDirectoryName(project)!))
            .OrderBy(project => project.Title, StringComparer.Ordinal)];

    /// <summary>Whether <paramref name="wanted"/> names it: its name, or a part of it.</summary>
    public bool IsNamed(string wanted) =>
        Name.Contains(wanted, StringComparison.OrdinalIgnoreCase) || Title.Contains(wanted.TrimEnd('/'), StringComparison.OrdinalIgnoreCase);
}
