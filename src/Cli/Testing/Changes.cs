using System.Xml.Linq;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>Changed files, and the test projects that they can affect.</summary>
/// <param name="files">Paths relative to the checkout.</param>
internal sealed class Changes(IReadOnlyList<string> files)
{
    private readonly Dictionary<string, string[]> _references = Directory.EnumerateFiles(Checkout.Root, "*.csproj", SearchOption.AllDirectories)
        .Where(project => !Path.GetRelativePath(Checkout.Root, project).StartsWith('.') && !project.Contains("/artifacts/", StringComparison.Ordinal))
        .ToDictionary(project => Path.GetDirectoryName(project)!, References);

    private readonly Dictionary<string, string> _sources = []; // by folder

    /// <summary>All changes since a commit, committed or not, with untracked files.</summary>
    /// <param name="commit">Null for the merge base with the branch's upstream.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="UsageProblem">No commit is given and there is no merge base.</exception>
    /// <exception cref="LocalProblem">There is no such commit.</exception>
    public static async Task<Changes> SinceAsync(string? commit, CancellationToken stop)
    {
        try
        {
            commit ??= (await GitAsync(["merge-base", "HEAD", "@{upstream}"], stop)).Single();
        }
        catch (LocalProblem problem)
        {
            throw new UsageProblem($"There is no merge base with an upstream branch; name a commit: --changed COMMIT. {problem.Message}");
        }

        return new([.. await GitAsync(["diff", "--name-only", "--no-renames", commit, "--"], stop), .. await GitAsync(["ls-files", "--others", "--exclude-standard"], stop)]);
    }

    /// <summary>Number of changed files.</summary>
    public int Count => files.Count;

    /// <summary>The projects whose results may change, fewest dependencies first.</summary>
    public IReadOnlyList<TestProject> Affect(IEnumerable<TestProject> projects)
    {
        var needs = projects.ToDictionary(project => project, project => NeededBy(project.Folder));
        var tested = needs.Values.SelectMany(folders => folders).ToHashSet();
        return [.. needs.Where(need => files.Any(file => Affects(file, need.Value))).OrderBy(need => need.Value.Count).Select(need => need.Key)];

        bool Affects(string file, HashSet<string> needed) =>
            IsForAll(file) || (OwnerOf(file) is { } owner && tested.Contains(owner) ? needed.Contains(owner) : needed.Any(folder => Mentions(folder, file)));
    }

    // Build settings, and sources that every test project compiles.
    private static bool IsForAll(string file) =>
        Path.GetDirectoryName(file) is ("" or "tests") && Path.GetExtension(file) is ".props" or ".targets" or ".json" or ".editorconfig" or ".sln" or ".cs";

    private string? OwnerOf(string file)
    {
        for (var folder = Path.GetDirectoryName(file); !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
        {
            if (_references.ContainsKey(Path.Combine(Checkout.Root, folder))) return Path.Combine(Checkout.Root, folder);
        }

        return null;
    }

    /// <summary>The folders of a project and of everything it references, directly or indirectly.</summary>
    private HashSet<string> NeededBy(string folder)
    {
        var (needed, next) = (new HashSet<string>(), new Queue<string>([folder]));
        while (next.TryDequeue(out var project))
        {
            if (needed.Add(project)) foreach (var reference in _references[project]) next.Enqueue(reference);
        }

        return needed;
    }

    // A file outside all projects, such as a manifest or a page, affects the tests whose source names the file or its top folder.
    private bool Mentions(string folder, string file)
    {
        if (!folder.StartsWith(Path.Combine(Checkout.Root, "tests"), StringComparison.Ordinal)) return false;
        if (!_sources.TryGetValue(folder, out var text)) _sources[folder] = text = string.Concat(Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        return text.Contains($"\"{file.Split('/')[0]}", StringComparison.Ordinal) || text.Contains($"{Path.GetFileName(file)}\"", StringComparison.Ordinal);
    }

    private static string[] References(string project) =>
        [.. XDocument.Load(project).Descendants("ProjectReference").Select(reference => Path.GetDirectoryName(Path.GetFullPath(reference.Attribute("Include")!.Value, Path.GetDirectoryName(project)!))!)];

    private static async Task<string[]> GitAsync(string[] arguments, CancellationToken stop) =>
        (await ProgramRun.OutputAsync(["git", .. arguments], folder: Checkout.Root, cancellation: stop)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
