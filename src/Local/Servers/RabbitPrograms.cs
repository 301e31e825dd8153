namespace QueueScale.Local;

/// <summary>An installed RabbitMQ.</summary>
/// <param name="Server">The script that becomes the broker. Not Debian's wrapper in /usr/sbin: that one runs it as another user and outlives a kill.</param>
/// <param name="PortMapper">Erlang's epmd.</param>
internal sealed record RabbitPrograms(string Server, string PortMapper)
{
    public string Control => Path.Combine(Path.GetDirectoryName(Server)!, "rabbitmqctl");

    public static RabbitPrograms? Find()
    {
        var server = Folders().Select(folder => Path.Combine(folder, "rabbitmq-server")).FirstOrDefault(IsServer);
        var portMapper = SearchPath.Find("epmd", Below("/usr/lib/erlang", "erts-*", "bin").Concat(Below("/usr/local/lib/erlang", "erts-*", "bin")));
        return server is null || portMapper is null ? null : new(server, portMapper);
    }

    private static IEnumerable<string> Folders() =>
        [
            .. Below("/usr/lib", "rabbitmq", "bin"),
            .. Below("/usr/lib/rabbitmq/lib", "*", "sbin"),
            .. Below("/opt", "rabbitmq*", "sbin"),
            .. SearchPath.Folders(),
        ];

    // The script and the settings it reads lie side by side; the wrapper lies alone.
    private static bool IsServer(string path)
    {
        if (!File.Exists(path)) return false;
        var real = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        return File.Exists(Path.Combine(Path.GetDirectoryName(real)!, "rabbitmq-env"));
    }

    private static IEnumerable<string> Below(string folder, string pattern, string sub) =>
        Directory.Exists(folder)
            ? Directory.EnumerateDirectories(folder, pattern).OrderDescending(StringComparer.Ordinal).Select(found => Path.Combine(found, sub)).Where(Directory.Exists)
            : [];
}
