using System.Globalization;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>One series.</summary>
public sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    /// <summary>Name and labels as they stood in the text.</summary>
    public required string Series { get; init; }
}

/// <summary>A metric with all its series.</summary>
public sealed record Family(string Name, string Type, string Help, IReadOnlyList<Sample> Samples)
{
    /// <summary>The labels that its series carry, but for a histogram's own.</summary>
    public IEnumerable<string> Labels => Samples.SelectMany(sample => sample.Labels.Keys).Where(label => label != "le").Distinct().Order(StringComparer.Ordinal);
}

/// <summary>What a process answered on /metrics, read strictly: every line is HELP, TYPE or a sample of the metric that these have announced.</summary>
public sealed partial record Scrape(string Text, IReadOnlyList<Family> Families)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(10) };

    public IEnumerable<Sample> Samples => Families.SelectMany(family => family.Samples);

    public static async Task<Scrape> OfAsync(HostProcess process)
    {
        using var answer = await Http.GetAsync(new Uri(process.Url, "metrics"));
        Assert.Equal((200, "text/plain; version=0.0.4; charset=utf-8"), ((int)answer.StatusCode, answer.Content.Headers.ContentType?.ToString()));
        return Parse(await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The value of the only series of that name that has these labels; null when there is none.</summary>
    public double? Value(string name, params (string Name, string Value)[] labels) =>
        Samples.Where(sample => sample.Name == name && labels.All(label => sample.Labels.GetValueOrDefault(label.Name) == label.Value)).ToArray() switch
        {
            [] => null,
            [var only] => only.Value,
            var several => throw new InvalidOperationException($"{several.Length} series: {string.Join(' ', several.Select(sample => sample.Series))}"),
        };

    /// <summary>The values of all series of that name together; 0 when there is none.</summary>
    public double Sum(string name) => Samples.Where(sample => sample.Name == name).Sum(sample => sample.Value);

    private static Scrape Parse(string text)
    {
        var families = new List<Family>();
        var help = "";
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        foreach (var line in text[..^1].Split('\n'))
        {
            if (HelpLine().Match(line) is { Success: true } about)
            {
                help = about.Groups["help"].Value;
            }
            else if (TypeLine().Match(line) is { Success: true } type)
            {
                families.Add(new Family(type.Groups["name"].Value, type.Groups["type"].Value, help, new List<Sample>()));
                help = "";
            }
            else
            {
                var match = SampleLine().Match(line);
                Assert.True(match.Success, $"This line is none of Prometheus: {line}");
                var family = families[^1];
                var name = match.Groups["name"].Value;
                Assert.Contains(name, family.Type == "histogram" ? [family.Name + "_bucket", family.Name + "_sum", family.Name + "_count"] : new[] { family.Name });
                var labels = match.Groups["label"].Captures.Zip(match.Groups["value"].Captures).ToDictionary(pair => pair.First.Value, pair => pair.Second.Value);
                var value = match.Groups["number"].Value switch { "+Inf" => double.PositiveInfinity, var number => double.Parse(number, CultureInfo.InvariantCulture) };
                ((List<Sample>)family.Samples).Add(new Sample(name, labels, value) { Series = line[..line.LastIndexOf(' ')] });
            }
        }

        Assert.Equal(families.Count, families.Select(family => family.Name).Distinct().Count());
        var series = families.SelectMany(family => family.Samples).Select(sample => sample.Series).ToArray();
        Assert.Equal(series.Length, series.Distinct().Count());
        return new Scrape(text, families);
    }

    [GeneratedRegex(@"^# HELP (?<name>[a-z_][a-z0-9_]*) (?<help>.+)$")]
    private static partial Regex HelpLine();

    [GeneratedRegex(@"^# TYPE (?<name>[a-z_][a-z0-9_]*) (?<type>counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex("""^(?<name>[a-z_][a-z0-9_]*)(\{((?<label>[a-z_][a-z0-9_]*)="(?<value>([^"\\\n]|\\["\\n])*)",?)+\})? (?<number>-?[0-9.E+-]+|\+Inf)$""")]
    private static partial Regex SampleLine();
}
