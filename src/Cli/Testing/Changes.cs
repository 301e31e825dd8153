using System.Xml.Linq;
using QueueScale.Local;

namespace QueueScale.Cli.Testing;

/// <summary>The files that differ from a commit, and the test projects that they can affect.</summary>
/// <param name="files">Paths below the checkout.</param>
internal sealed class Changes(IReadOnlyList<string> files)
{
    private readonly Dictionary<string, string[]> _references = Directory.EnumerateFiles(Checkout.Root, "*.csproj", SearchOption.AllDirectories)
        .Where(project => !Path.GetRelativePath(Checkout.Root, project).StartsWith('.') && !project.Contains("/artifacts/", StringComparison.Ordinal))
        .ToDictionary(project => Path.GetDirectoryName(project)!, References);

    private readonly Dictionary<string, string> _sources = []; // by folder

    /// <summary>What is not in <paramref name="commit"/>, committed since or not, added files too.</summary>
    /// <param name="commit">Null for the one where this branch left the branch that it is to go to.</param>
    /// <exception cref="LocalProblem">There is no such commit; says how to name one.</exception>
    public static async Task<Changes> SinceAsync(string? commit, CancellationToken stop)
    {
        try
        {
            commit ??= (await GitAsync(["merge-base", "HEAD", "@{upstream}"], stop)).Single();
        }
        catch (LocalProblem problem)
        {
            throw new UsageProblem($"Since when? This branch follows no other one; name a commit: --changed COMMIT ({problem.Message})");
        }

        return new([.. await GitAsync(["diff", "--name-only", "--no-renames", commit, "--"], stop), .. await GitAsync(["ls-files", "--others", "--exclude-standard"], stop)]);
    }

    /// <summary>How many files differ.</summary>
    public int Count => files.Count;

    /// <summary>Those of <paramref name="projects"/> whose result may change, those that depend on the least first.</summary>
    public IReadOnlyList<TestProject> Affect(IEnumerable<TestProject> projects)
    {
        var needs = projects.ToDictionary(project => project, project => NeededBy(project.Folder));
        var tested = needs.Values.SelectMany(folders => folders).ToHashSet();
        return [.. needs.Where(need => files.Any(file => Affects(file, need.Value))).OrderBy(need => need.Value.Count).Select(need => need.Key)];

        bool Affects(string file, HashSet<string> needed) =>
            IsForAll(file) || (OwnerOf(file) is { } owner && tested.Contains(owner) ? needed.Contains(owner) : needed.Any(folder => Mentions(folder, file)));
    }

    // What the compiler reads for every project, and what each test program is built with.
    private static bool IsForAll(string file) =>
        Path.GetDirectoryName(file) is "" or "tests" && Path.GetExtension(file) is ".props" or ".targets" or ".json" or ".editorconfig" or ".sln" or ".cs";

    private string? OwnerOf(string file)
    {
        for (var folder = Path.GetDirectoryName(file); !string.IsNullOrEmpty(folder); folder = Path.GetDirectoryName(folder))
        {
            if (_references.ContainsKey(Path.Combine(Checkout.Root, folder))) return Path.Combine(Checkout.Root, folder);
        }

        return null;
    }

    /// <summary>The folders of a project and of all that it references, directly or not.</summary>
    private HashSet<string> NeededBy(string folder)
    {
        var (needed, next) = (new HashSet<string>(), new Queue<string>([folder]));
        while (next.TryDequeue(out var project))
        {
            if (needed.Add(project)) foreach (var reference in _references[project]) next.Enqueue(reference);
        }

        return needed;
    }

    // Files of no project, such as manifests and pages, are read by tests that name their folder or themselves.
    private bool Mentions(string folder, string file)
    {
        if (!folder.StartsWith(Path.Combine(Checkout.Root, "tests"), StringComparison.Ordinal)) return false;
        if (!_sources.TryGetValue(folder, out var text)) _sources[folder] = text = string.Concat(Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        return text.Contains($"\"{file.Split('/')[0]}", StringComparison.Ordinal) || text.Contains($"{Path.GetFileName(file)}\"", StringComparison.Ordinal);
    }

    private static string[] References(string project) =>
        [.. XDocument.Load(project).Descendants("ProjectReference").Select(reference => Path.GetDirectoryName(Path.GetFullPath(reference.Attribute("Include")!.Value, Path.GetDirectoryName(project)!))!)];

    private static async Task<string[]> GitAsync(string[] arguments, CancellationToken stop) =>
        (await ProgramRun.OutputAsync("git", arguments, stop)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
