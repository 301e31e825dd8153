namespace QueueScale.Local;

/// <summary>The docker command.</summary>
internal static class Docker
{
    /// <summary>Runs <c>docker compose</c> on docker-compose.yml of this checkout.</summary>
    /// <returns>What it printed.</returns>
    public static Task<string> ComposeAsync(IReadOnlyList<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string, string?>? settings = null) =>
        RunAsync(["compose", "--project-directory", Checkout.Root, .. arguments], cancellation, settings);

    /// <returns>What it printed.</returns>
    /// <exception cref="LocalProblem">It failed: with the end of what it said.</exception>
    public static async Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string, string?>? settings = null)
    {
        var command = await Command.RunAsync(["docker", .. arguments], settings, cancellation);
        return command.Succeeded
            ? command.Output.Trim()
            : throw new LocalProblem($"`docker {string.Join(' ', arguments)}` failed:\n  {string.Join("\n  ", (command.Output + command.Error).Trim().Split('\n').TakeLast(12))}");
    }
}
