using System.Diagnostics;

namespace QueueScale.Local;

/// <summary>Installs programs with apt-get for private use: none of their system services is started or stays enabled, and PostgreSQL gets no cluster.</summary>
internal static class AptGet
{
    private const string ProcessName = "apt-get";
    private const string Policy = "/usr/sbin/policy-rc.d";
    private const string PolicyBefore = "/usr/sbin/policy-rc.d.before-queuescale";
    private const string Mark = "# Put here by queuescale while it installs packages; it can be deleted.";
    private const string NoCluster = "/etc/postgresql-common/createcluster.d/queuescale.conf";
    private static readonly string[] Services = ["postgresql", "rabbitmq", "epmd", "redis", "prometheus", "nginx"];

    public static bool Exists => SearchPath.Find("apt-get") is not null;

    public static bool IsUsable => Exists && Posix.IsRoot;

    public static async Task InstallAsync(string programs, string[] packages, RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        tell?.Invoke("installing", $"{programs} with apt-get, for private use: no system service of them is started or enabled (this takes a minute or two)");
        var clock = Stopwatch.StartNew();
        await File.WriteAllLinesAsync(LinksBefore(folder), StartLinks(), cancellation);
        ForbidServices();
        try
        {
            await RunAsync(folder, "update");
            cancellation.ThrowIfCancellationRequested();
            await RunAsync(folder, ["install", "--yes", "--no-install-recommends", .. packages]);
        }
        finally
        {
            await PutBackAsync(folder);
        }
        tell?.Invoke("installed", $"{programs} in {clock.Elapsed.TotalSeconds:0} s");
    }

    /// <summary>Lets an installation end that a killed command left behind (dpkg must not be interrupted), and finishes it.</summary>
    public static async Task LetEndAsync(RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        if (!File.Exists(LinksBefore(folder))) return;
        if (LocalProcess.Find(folder, ProcessName) is { } process)
        {
            tell?.Invoke("waiting", "for the installation that an earlier command began");
            await process.WaitForExitAsync(cancellation);
        }
        await PutBackAsync(folder);
    }

    // Its presence says that an installation has begun and is not finished.
    private static string LinksBefore(RunFolder folder) => Path.Combine(folder.FullPath, "start-links-before-installing");

    private static async Task PutBackAsync(RunFolder folder)
    {
        if (File.Exists(Policy) && (await File.ReadAllTextAsync(Policy)).Contains(Mark, StringComparison.Ordinal)) File.Delete(Policy);
        if (File.Exists(PolicyBefore)) File.Move(PolicyBefore, Policy, overwrite: true);
        if (File.Exists(NoCluster)) File.Delete(NoCluster);
        if (Path.GetDirectoryName(NoCluster) is { } conf && Directory.Exists(conf) && !Directory.EnumerateFileSystemEntries(conf).Any()) Directory.Delete(conf);
        await DisableAsync([.. StartLinks().Except(await File.ReadAllLinesAsync(LinksBefore(folder)))]);
        File.Delete(LinksBefore(folder));
    }

    // Debian asks policy-rc.d before it starts a service: 101 means no. The second file keeps postgresql from making its "main" cluster.
    private static void ForbidServices()
    {
        if (File.Exists(Policy)) File.Move(Policy, PolicyBefore);
        File.WriteAllText(Policy, $"#!/bin/sh\n{Mark}\nexit 101\n");
        File.SetUnixFileMode(Policy, (UnixFileMode)Convert.ToInt32("755", 8));
        Directory.CreateDirectory(Path.GetDirectoryName(NoCluster)!);
        File.WriteAllText(NoCluster, $"{Mark}\ncreate_main_cluster = off\n");
    }

    // As a LocalProcess, so that what a killed command leaves of it is found by the next one. Ctrl-C does not reach it, and we wait for its end.
    private static async Task RunAsync(RunFolder folder, params string[] arguments)
    {
        string[] options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "DPkg::Options::=--force-confold"];
        var process = await LocalProcess.StartAsync(
            folder,
            new ProgramStart(ProcessName, "apt-get", [.. options, .. arguments])
            {
                Environment = new Dictionary<string, string?>
                {
                    ["DEBIAN_FRONTEND"] = "noninteractive",
                    ["PATH"] = Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin", // dpkg insists, and `su` does not set it
                },
            });
        if (await process.WaitForExitAsync() is 0) return;

        throw new LocalProblem($"`apt-get {string.Join(' ', arguments)}` failed. The last lines of {process.LogPath}:\n{process.LastLines()}");
    }

    // Links by which a system would start PostgreSQL, RabbitMQ or epmd: systemd's, and those of the older /etc/rc?.d.
    private static IEnumerable<string> StartLinks() =>
        new[] { ("/etc/systemd/system", "*.wants"), ("/etc", "rc?.d") }
            .Where(place => Directory.Exists(place.Item1))
            .SelectMany(place => Directory.EnumerateDirectories(place.Item1, place.Item2))
            .SelectMany(Directory.EnumerateFileSystemEntries)
            .Where(link => ServiceOf(link) is not null);

    private static string? ServiceOf(string link)
    {
        var name = Path.GetFileName(link);
        if (name.Length > 3 && name[0] == 'S' && char.IsAsciiDigit(name[1])) name = name[3..]; // S01postgresql
        return Services.Any(service => name.StartsWith(service, StringComparison.Ordinal)) ? name : null;
    }

    private static async Task DisableAsync(IReadOnlyList<string> links)
    {
        if (links.Count == 0) return;
        var byUnit = links.ToLookup(link => link.Contains(".wants/", StringComparison.Ordinal));
        if (SearchPath.Find("systemctl", "/usr/bin") is { } systemctl)
        {
            string[] units = [.. byUnit[true].Select(link => Path.GetFileName(link))];
            await ProgramRun.RunAsync([systemctl, "disable", .. units]);
            if (Directory.Exists("/run/systemd/system")) await ProgramRun.RunAsync([systemctl, "stop", .. units]);
        }
        if (SearchPath.Find("update-rc.d", "/usr/sbin") is { } updateRc)
        {
            foreach (var script in byUnit[false].Select(ServiceOf).Distinct()) await ProgramRun.RunAsync([updateRc, script!, "disable"]);
        }
        foreach (var link in StartLinks().Intersect(links).ToArray()) File.Delete(link); // where a tool is missing
    }
}
