using System.Text.RegularExpressions;

namespace OwnWorker;

/// <summary>The texts that jobs may read: the .txt files below one folder of this machine.</summary>
public sealed partial class TextFolder(string root)
{
    private readonly string root = Path.GetFullPath(root);

    /// <summary>The texts below a folder, relative to the root and in a fixed order; null where there is no such folder below the root.</summary>
    public IReadOnlyList<string>? Below(string folder)
    {
        var path = Path.GetFullPath(folder, root);
        var isInside = path == root || path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        return isInside && Directory.Exists(path)
            ? [.. Directory.EnumerateFiles(path, "*.txt", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(root, file)).Order(StringComparer.Ordinal)]
            : null;
    }

    /// <summary>The words of a text, in lower case.</summary>
    public async Task<IReadOnlyList<string>> WordsOfAsync(string text, CancellationToken stop) =>
        [.. Word().Matches(await File.ReadAllTextAsync(Path.Combine(root, text), stop)).Select(word => word.Value.ToLowerInvariant())];

    [GeneratedRegex(@"\p{L}+")]
    private static partial Regex Word();
}
