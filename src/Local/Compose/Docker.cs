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
    public static Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation, IReadOnlyDictionary<string, string?>? settings = null) =>
        ProgramRun.OutputAsync(["docker", .. arguments], settings, cancellation: cancellation);
}
