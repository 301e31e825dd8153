using QueueScale.Contracts;

namespace QueueScale.Jobs;

/// <summary>Finds a <c>file:</c> source below the folder that the operator named for its tenant, and nowhere else.</summary>
internal static class DataRoot
{
    private const string Scheme = "file:";
    private const string OfTenant = "{tenant}";
    private const string Missing = "source_missing";
    private const int MostLinks = 40;

    /// <summary>The real path of the source's file.</summary>
    /// <exception cref="JobFailed">It has none that may be read.</exception>
    public static string Find(string source, string root, string tenant)
    {
        if (!source.StartsWith(Scheme, StringComparison.Ordinal) || source.Length == Scheme.Length)
        {
            throw Refused($"'{Excerpt.Of(source)}' cannot be read. Give file:NAME, a file below the workers' Jobs:DataRoot, or https://HOST/PATH.");
        }

        var name = source[Scheme.Length..];
        var shown = Excerpt.Of(name);
        if (name.Contains('\0', StringComparison.Ordinal) || Path.IsPathRooted(name) || name.Split('/', '\\').Contains(".."))
        {
            throw Refused($"'{shown}' leaves the data folder. Give a path below it, without '..' and not beginning with '/'.");
        }

        if (root.Length == 0)
        {
            throw new JobFailed($"source: '{shown}' cannot be read: this worker has no data folder. Set Jobs:DataRoot on every worker of the queue.", Missing);
        }

        if (tenant != TenantName.First && !root.Contains(OfTenant, StringComparison.Ordinal))
        {
            throw new JobFailed(
                $"source: '{shown}' cannot be read: this worker's data folder is the tenant {TenantName.First}'s alone. Put {OfTenant} into Jobs:DataRoot on every worker of the queue, such as {root}/{OfTenant}.", Missing);
        }

        root = root.Replace(OfTenant, tenant, StringComparison.Ordinal);
        var folder = RealPath(Path.GetFullPath(root));
        var path = RealPath(Path.Combine(folder, name));
        if (!path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw Refused($"'{shown}' is a link that leaves the data folder. Put the file itself there.");
        }

        return File.Exists(path) ? path : throw new JobFailed(
            $"source: there is no file '{shown}' in this worker's data folder {root}. Put it there, on every worker of the queue, and submit again.", Missing);
    }

    private static JobFailed Refused(string why) => new($"source: {why}", "input_invalid");

    /// <summary>The path with every link in it followed, also those in the middle, which .NET's own resolution leaves.</summary>
    private static string RealPath(string path)
    {
        var links = 0;
        var rest = new Stack<string>(Parts(path));
        var real = Path.GetPathRoot(path)!;
        while (rest.TryPop(out var part))
        {
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }

            var next = Path.Combine(real, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MostLinks) throw Refused("it is a link that leads in a circle. Put the file itself in the data folder.");
            if (Path.IsPathRooted(target)) real = Path.GetPathRoot(target)!;
            foreach (var step in Parts(target)) rest.Push(step);
        }

        return real;
    }

    /// <summary>The parts of a path without its root, last first.</summary>
    private static IEnumerable<string> Parts(string path) => path[(Path.GetPathRoot(path)?.Length ?? 0)..]
        .Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries).Where(part => part != ".").Reverse();
}
