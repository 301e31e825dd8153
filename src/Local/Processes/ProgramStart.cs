namespace QueueScale.Local;

/// <summary>A program to start as a <see cref="LocalProcess"/>.</summary>
/// <param name="Name">Names its pid file and its log within the run folder, such as <c>worker-1</c>.</param>
/// <param name="Program">A path, or a name to be found on PATH.</param>
/// <param name="Arguments">Its arguments.</param>
public sealed record ProgramStart(string Name, string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>Variables on top of the starter's own environment; null removes one.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>Variables of the starter that begin like this do not reach the program.</summary>
    public IReadOnlyList<string> WithoutVariables { get; init; } = [];

    /// <summary>Where it runs; <c>/</c> unless named.</summary>
    public string WorkingDirectory { get; init; } = "/";
}
