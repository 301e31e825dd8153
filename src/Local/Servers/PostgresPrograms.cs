using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Local;

/// <summary>An installed PostgreSQL.</summary>
internal sealed partial record PostgresPrograms(string Folder, int Major)
{
    public string Postgres => Path.Combine(Folder, "postgres");
    public string InitDb => Path.Combine(Folder, "initdb");
    public string Psql => Path.Combine(Folder, "psql");

    /// <summary>The newest one, or the newest of that major version: data made by one cannot be read by another.</summary>
    public static async Task<PostgresPrograms?> FindAsync(int? major = null)
    {
        var found = new List<PostgresPrograms>();
        foreach (var folder in Folders())
        {
            var version = await ProgramRun.RunAsync([Path.Combine(folder, "postgres"), "--version"]); // postgres (PostgreSQL) 15.18 (Debian ...)
            if (Version().Match(version.Output) is { Success: true } match) found.Add(new(folder, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)));
        }
        return found.Where(programs => major is null || programs.Major == major).MaxBy(programs => programs.Major);
    }

    // A link on PATH (Debian has some) leads to the folder with all of them.
    private static IEnumerable<string> Folders() =>
        SearchPath.Folders()
            .Concat(Directory.Exists("/usr/lib/postgresql") ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin")) : [])
            .Select(folder => Path.Combine(folder, "postgres"))
            .Where(File.Exists)
            .Select(postgres => Path.GetDirectoryName(File.ResolveLinkTarget(postgres, returnFinalTarget: true)?.FullName ?? postgres)!)
            .Where(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "psql")))
            .Distinct();

    [GeneratedRegex(@"PostgreSQL\) (\d+)")]
    private static partial Regex Version();
}
