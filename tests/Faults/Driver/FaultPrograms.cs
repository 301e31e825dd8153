namespace QueueScale.Faults;

/// <summary>The programs that the driver uses beyond those that every Linux has.</summary>
public static class FaultPrograms
{
    internal static string Ip => Find("ip", "iproute2");

    internal static string IpTables => Find("iptables", "iptables");

    // The variant for programs with threads.
    internal static string FakeTime =>
        FindFakeTime() ?? throw new LocalProblem("libfaketime is not installed. On Debian or Ubuntu: apt-get install libfaketime");

    /// <summary>Installs what is missing where we may, as <c>./queuescale</c> installs the servers.</summary>
    /// <exception cref="LocalProblem">Something is missing and we may not install it: says what to type.</exception>
    public static async Task EnsureAsync(RunFolder folder, Tell? tell = null, CancellationToken cancellation = default)
    {
        using var held = await folder.LockAsync(tell, cancellation);
        await AptGet.LetEndAsync(folder, tell, cancellation);

        var missing = new List<(string Program, string Package)>();
        if (FindIn("ip") is null) missing.Add(("ip", "iproute2"));
        if (FindIn("iptables") is null) missing.Add(("iptables", "iptables"));
        if (FindFakeTime() is null) missing.Add(("libfaketime", "libfaketime"));
        await Installation.InstallAsync(missing, "with `ip` and `iptables` on PATH and libfaketimeMT.so.1 below /usr/lib", folder, tell, cancellation);
    }

    private static string Find(string program, string package) =>
        FindIn(program) ?? throw new LocalProblem($"`{program}` is not installed. On Debian or Ubuntu: apt-get install {package}");

    private static string? FindIn(string program) => SearchPath.Find(program, "/usr/sbin", "/sbin");

    // Debian: /usr/lib/x86_64-linux-gnu/faketime, /usr/lib/aarch64-linux-gnu/faketime; others: /usr/lib/faketime, /usr/lib64/faketime.
    private static string? FindFakeTime() =>
        Directory.EnumerateDirectories("/usr/lib", "*-linux-gnu*").Concat(["/usr/lib", "/usr/lib64", "/usr/local/lib"])
            .Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1"))
            .FirstOrDefault(File.Exists);
}
