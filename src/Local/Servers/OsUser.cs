using System.Globalization;

namespace QueueScale.Local;

/// <summary>A user of this machine.</summary>
internal sealed record OsUser(string Name, int Uid, int Gid)
{
    /// <summary>PostgreSQL refuses to run as root: as root its programs run as this user, otherwise (null) as ourselves.</summary>
    public static OsUser? ForPostgres() =>
        !Posix.IsRoot ? null
        : Find("postgres") ?? Find("nobody")
            ?? throw new LocalProblem("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`. Create one: useradd --system postgres");

    /// <summary>The beginning of a command line that becomes this user.</summary>
    public IReadOnlyList<string> Prefix => ["setpriv", $"--reuid={Uid}", $"--regid={Gid}", "--clear-groups", "--"];

    private static OsUser? Find(string name) =>
        File.ReadLines("/etc/passwd")
            .Select(line => line.Split(':'))
            .Where(fields => fields.Length >= 4 && fields[0] == name)
            .Select(fields => new OsUser(name, int.Parse(fields[2], CultureInfo.InvariantCulture), int.Parse(fields[3], CultureInfo.InvariantCulture)))
            .FirstOrDefault();
}
