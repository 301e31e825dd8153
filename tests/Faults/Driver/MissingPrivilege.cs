namespace QueueScale.Faults;

/// <summary>This machine (or the container we are in) does not let us break things in this way.</summary>
public sealed class MissingPrivilege(string message, Exception? inner = null) : LocalProblem(message, inner)
{
    internal static void Demand(string what)
    {
        if (!Posix.IsRoot) throw new MissingPrivilege($"{what} needs root.");
    }

    /// <summary>Runs a program that only the mighty may run.</summary>
    internal static async Task RunAsync(string what, IReadOnlyList<string> line, CancellationToken cancellation = default)
    {
        var result = await ProgramRun.RunAsync(line, new Dictionary<string, string?> { ["LC_ALL"] = "C" }, cancellation: cancellation);
        if (result.Succeeded) return;

        var message = $"{what} failed: `{string.Join(' ', line)}` said: {result.Error.Trim()}";
        string[] refusals = ["permission denied", "operation not permitted", "must be superuser", "you must be root"];
        if (refusals.Any(refusal => result.Error.Contains(refusal, StringComparison.OrdinalIgnoreCase))) throw new MissingPrivilege(message);
        throw new LocalProblem(message);
    }
}
