using System.Reflection;
using System.Text.RegularExpressions;
using QueueScale.Hosting;

namespace QueueScale.Tests;

/// <summary>docs/telemetry.md lists the spans and log lines that the code has, and no other.</summary>
public sealed partial class PageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "telemetry.md"));

    [Fact]
    public void Every_log_line_is_on_the_page_with_its_id_level_and_text()
    {
        Assert.True(LogEvent.All.Count > 40, $"{LogEvent.All.Count} found");
        Assert.Equal(LogEvent.All.Select(line => $"{line}"), LogRow().Matches(Section("Log lines")).Select(row => $"{row.Groups["id"].Value} {row.Groups["level"].Value} {row.Groups["text"].Value}"));
    }

    [Fact]
    public void No_two_log_lines_share_an_id() => Assert.Equal(LogEvent.All.Select(line => line.Id).Distinct(), LogEvent.All.Select(line => line.Id));

    [Fact]
    public void Every_name_in_a_span_is_on_the_page()
    {
        var names = typeof(Traces).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral).ToDictionary(field => field.Name, field => (string)field.GetRawConstantValue()!);
        Assert.Contains($"`{names[nameof(Traces.SourceName)]}`", Section("Traces"), StringComparison.Ordinal);
        Assert.Contains($"`{names[nameof(Traces.Process)]} {{queue}}`", Section("Traces"), StringComparison.Ordinal);
        Assert.Equal(names.Values.Where(name => name.Contains('.', StringComparison.Ordinal)).Order(StringComparer.Ordinal), Attributes().Order(StringComparer.Ordinal));
        Assert.Equal([names[nameof(Traces.CheckpointEvent)], names[nameof(Traces.ExceptionEvent)]], Events().Select(happened => happened.Name));
    }

    /// <summary>The attributes of a run's span and of its events.</summary>
    public static IEnumerable<string> Attributes() => AttributeRow().Matches(Section("Traces")).Select(row => row.Groups["name"].Value).Concat(Events().SelectMany(happened => happened.Attributes));

    /// <summary>The attributes of a request's span.</summary>
    public static IEnumerable<string> RequestAttributes() =>
        AttributeName().Matches(Section("Traces").Split('\n').Single(line => line.StartsWith("| `{method} {route}`", StringComparison.Ordinal)).Split("conventions:")[1]).Select(name => name.Groups["name"].Value);

    public static IEnumerable<(string Name, string[] Attributes)> Events() => EventRow().Matches(Section("Traces")).Select(row => (row.Groups["name"].Value, row.Groups["attribute"].Captures.Select(attribute => attribute.Value).ToArray()));

    private static string Section(string heading) => Page.Split("\n## ").Single(part => part.StartsWith($"{heading}\n", StringComparison.Ordinal));

    [GeneratedRegex(@"^\| (?<id>\d{4}) \| (?<level>\w+) \| (?<text>.+) \|$", RegexOptions.Multiline)]
    private static partial Regex LogRow();

    [GeneratedRegex(@"^\| `(?<name>[a-z]+\.[a-z_.]+)` \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex AttributeRow();

    [GeneratedRegex(@"`(?<name>[a-z]+\.[a-z_.]+)`")]
    private static partial Regex AttributeName();

    [GeneratedRegex(@"^\| `(?<name>[a-z]+)` \|( `(?<attribute>[a-z_.]+)`,?)+ \|", RegexOptions.Multiline)]
    private static partial Regex EventRow();
}
