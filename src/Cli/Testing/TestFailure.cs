namespace QueueScale.Cli.Testing;

/// <summary>A test that failed, or a program of tests that did not end as it should.</summary>
/// <param name="Text">What was printed when it failed.</param>
/// <param name="Logs">The last lines of each log that was written while it ran.</param>
/// <param name="Repeat">The command that runs it alone.</param>
internal sealed record TestFailure(string Text, IReadOnlyList<LogExcerpt> Logs, string Repeat)
{
    public void Print(TextWriter output)
    {
        output.WriteLine(Text);
        foreach (var log in Logs)
        {
            output.WriteLine($"        --- the last {log.Lines.Count} lines of {log.Path}");
            foreach (var line in log.Lines) output.WriteLine($"        {line}");
        }
        output.WriteLine($"        --- run it alone: {Repeat}");
        output.WriteLine();
    }
}

/// <summary>The end of a log.</summary>
/// <param name="Path">The log, relative to the checkout.</param>
/// <param name="Lines">Its last lines, the oldest first.</param>
internal sealed record LogExcerpt(string Path, IReadOnlyList<string> Lines);
