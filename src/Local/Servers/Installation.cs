namespace QueueScale.Local;

/// <summary>Sees to it that the programs we start are installed.</summary>
internal static class Installation
{
    /// <summary>PostgreSQL and RabbitMQ; and Redis, without which all works as well.</summary>
    public static async Task EnsureServersAsync(RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        await AptGet.LetEndAsync(folder, tell, cancellation);

        var missing = new List<(string Program, string Package)>();
        if (await PostgresPrograms.FindAsync() is null) missing.Add(("PostgreSQL", "postgresql"));
        if (RabbitPrograms.Find() is null) missing.Add(("RabbitMQ", "rabbitmq-server"));
        var isRedisAlone = missing.Count == 0;
        if (!RedisServer.IsInstalled && AptGet.IsUsable) missing.Add(("Redis", "redis-server"));
        try
        {
            await InstallAsync(missing, "with `postgres` and `rabbitmq-server` on PATH", folder, tell, cancellation);
        }
        catch (LocalProblem problem) when (isRedisAlone)
        {
            tell?.Invoke("no Redis", problem.Message.Split('\n')[0]);
        }
        if (!RedisServer.IsInstalled) tell?.Invoke("no Redis", "it is not installed, so each read of a job asks PostgreSQL. On Debian or Ubuntu: sudo apt-get install redis-server");
    }

    /// <summary>Whether PostgreSQL and RabbitMQ are installed.</summary>
    public static async Task<bool> IsCompleteAsync() => await PostgresPrograms.FindAsync() is not null && RabbitPrograms.Find() is not null;

    /// <summary>Installs what is missing where we may, saying so first. The caller holds the folder's lock.</summary>
    /// <exception cref="LocalProblem">Something is missing and we may not install it: says what to type.</exception>
    public static async Task InstallAsync(
        IReadOnlyList<(string Program, string Package)> missing, string place, RunFolder folder, Tell? tell, CancellationToken cancellation)
    {
        if (missing.Count == 0) return;

        var programs = string.Join(" and ", missing.Select(one => one.Program));
        string[] packages = [.. missing.Select(one => one.Package)];
        if (!AptGet.IsUsable)
        {
            throw new LocalProblem(AptGet.Exists
                ? $"{programs} must be installed, which needs root: sudo apt-get install {string.Join(' ', packages)}"
                : $"{programs} must be installed, {place}. Use the packages of your system, then try again.");
        }
        await AptGet.InstallAsync(programs, packages, folder, tell, cancellation);
    }
}
