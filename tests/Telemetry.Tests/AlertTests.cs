using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>monitoring/alerts.yml is sound, asks for nothing that does not exist, and tells whoever it wakes what to do.</summary>
public sealed partial class AlertTests(Live live) : IClassFixture<Live>
{
    private static readonly string Monitoring = Path.Combine(Checkout.Root, "monitoring");
    private static readonly string Rules = Path.Combine(Monitoring, "alerts.yml");
    private static readonly string RuleTests = Path.Combine(Monitoring, "alerts.test.yml");
    private static readonly string Runbooks = Path.Combine(Checkout.Root, "docs", "runbooks");

    public static TheoryData<string> Alerts => [.. Alert().Matches(File.ReadAllText(Rules)).Select(match => match.Groups["name"].Value)];

    [Fact]
    public async Task Prometheus_takes_the_rules()
    {
        var (exitCode, said) = await PromTool.RunAsync(await PromTool.FindAsync(live.Stage.Folder), ["check", "rules", Rules], "");
        Assert.True(exitCode == 0, said);
    }

    [Fact]
    public async Task Prometheus_takes_the_configuration()
    {
        var (exitCode, said) = await PromTool.RunAsync(await PromTool.FindAsync(live.Stage.Folder), ["check", "config", Path.Combine(Monitoring, "prometheus.yml")], "");
        Assert.True(exitCode == 0, said);
    }

    [Fact]
    public async Task The_alerts_fire_when_they_should_and_only_then()
    {
        var (exitCode, said) = await PromTool.RunAsync(await PromTool.FindAsync(live.Stage.Folder), ["test", "rules", RuleTests], "");
        Assert.True(exitCode == 0, said);
    }

    [Theory]
    [MemberData(nameof(Alerts))]
    public void Each_alert_is_tried_where_it_fires_and_where_it_does_not(string alert)
    {
        // "- alertname: NAME" or "- {alertname: NAME, …}", each up to the next one.
        var cases = Regex.Split(File.ReadAllText(RuleTests), @"- \{?alertname: ").Skip(1).Where(text => Regex.IsMatch(text, $@"\A{alert}\b")).ToArray();
        Assert.Contains(cases, text => text.Contains("exp_labels:", StringComparison.Ordinal));
        Assert.Contains(cases, text => text.Contains("exp_alerts: []", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Alerts))]
    public void Each_alert_leads_to_its_runbook(string alert)
    {
        var rule = File.ReadAllText(Rules).Split("- alert: ").Single(text => Regex.IsMatch(text, $@"\A{alert}\b"));
        Assert.Contains($"runbook_url: docs/runbooks/{alert}.md\n", rule, StringComparison.Ordinal);
        var runbook = File.ReadAllText(Path.Combine(Runbooks, $"{alert}.md"));
        Assert.StartsWith($"# {alert}\n", runbook, StringComparison.Ordinal);
        Assert.All(["## What it means", "## Look", "## Do"], section => Assert.Contains($"\n{section}\n", runbook, StringComparison.Ordinal));
    }

    [Fact]
    public void There_is_no_runbook_without_an_alert() =>
        Assert.Equal(Alerts.Select(row => row.Data).Order(StringComparer.Ordinal), Directory.EnumerateFiles(Runbooks).Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal));

    [Fact]
    public async Task Every_metric_that_an_alert_or_a_runbook_names_is_there()
    {
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Families.Any(family => family.Name == "queuescale_broker_messages"));
        var there = (await Scrape.OfAsync(live.Api)).Samples.Concat((await Scrape.OfAsync(live.Worker)).Samples).Concat(live.Drained[0].Samples).Select(sample => sample.Name).ToHashSet();
        foreach (var file in Directory.EnumerateFiles(Runbooks).Prepend(Rules))
        {
            var named = Metric().Matches(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Select(match => match.Value).Distinct().ToArray();
            Assert.True(named.Length > 0, file);
            Assert.Empty(named.Except(there).Select(name => $"{Path.GetFileName(file)}: {name}"));
        }
    }

    [Fact]
    public async Task Every_selector_of_an_alert_finds_series_of_a_live_system()
    {
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Families.Any(family => family.Name == "queuescale_broker_messages"));
        var expressions = Expression().Matches(await File.ReadAllTextAsync(Rules, TestContext.Current.CancellationToken)).Select(match => match.Groups["text"].Value).ToArray();
        Assert.Equal(Alerts.Count, expressions.Length);
        var selectors = expressions.SelectMany(expression => Selector().Matches(expression)).Select(match => match.Value).Distinct()
            .Except(["http_server_request_duration_seconds_count{http_route=~\"/v1/.*\",http_response_status_code=~\"5..\"}"]).ToArray(); // nothing has gone wrong here
        Assert.True(selectors.Length > 15, string.Join(' ', selectors));
        var silent = new List<string>();
        foreach (var selector in selectors.Append("queuescale_worker_slots - on (namespace, job, instance) group_left () sum by (namespace, job, instance) (queuescale_worker_busy)"))
        {
            if ((await live.Prometheus.QueryAsync(selector)).Count == 0)
            {
                silent.Add(selector);
            }
        }

        Assert.Empty(silent);
    }

    [Fact]
    public async Task Every_query_of_a_runbook_is_one()
    {
        foreach (var (language, text) in Directory.EnumerateFiles(Runbooks).SelectMany(file => Block().Matches(File.ReadAllText(file))).Select(match => (match.Groups["language"].Value, match.Groups["text"].Value)))
        {
            switch (language)
            {
                case "promql":
                    foreach (var query in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                    {
                        await live.Prometheus.QueryAsync(query);
                    }

                    break;
                case "sql":
                    await live.Stage.ExecuteAsync(text);
                    break;
                default:
                    Assert.Fail($"Nobody tries this {language}: {text}");
                    break;
            }
        }
    }

    [Fact]
    public void Every_command_event_and_page_that_a_runbook_names_is_there()
    {
        var commands = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src", "Cli", "Commands"), "*Command.cs").Select(file => Path.GetFileName(file)[..^"Command.cs".Length]).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var events = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => LogEvent().Matches(File.ReadAllText(file))).Select(match => match.Groups["id"].Value).ToHashSet();
        foreach (var text in Directory.EnumerateFiles(Runbooks).Select(File.ReadAllText))
        {
            Assert.All(Command().Matches(text), match => Assert.Contains(match.Groups["name"].Value, commands));
            Assert.All(NamedEvent().Matches(text), match => Assert.Contains(match.Value, events));
            Assert.All(Link().Matches(text), match => Assert.True(File.Exists(Path.Combine(Runbooks, match.Groups["page"].Value)), match.Value));
        }
    }

    [GeneratedRegex(@"^ +- alert: (?<name>\w+)$", RegexOptions.Multiline)]
    private static partial Regex Alert();

    [GeneratedRegex(@"^ +expr: (?:\|\n)?(?<text>.+(?:\n {10,}.+)*)", RegexOptions.Multiline)]
    private static partial Regex Expression();

    [GeneratedRegex(@"\b(?:queuescale_|http_server_|dotnet_|db_client_(?!connection_pool_name|connection_state))\w+(?:\{[^}]*\})?")]
    private static partial Regex Selector();

    [GeneratedRegex(@"\b(queuescale_(?!recount)|http_server_|dotnet_|db_client_(?!connection_pool_name|connection_state))\w+")]
    private static partial Regex Metric();

    [GeneratedRegex("```(?<language>\\w+)\n(?<text>.+?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\./queuescale (?<name>\w+)")]
    private static partial Regex Command();

    [GeneratedRegex(@"\[LoggerMessage\((?<id>\d+),")]
    private static partial Regex LogEvent();

    [GeneratedRegex(@"\b[1-4]\d{3}\b")]
    private static partial Regex NamedEvent();

    [GeneratedRegex(@"\]\((?<page>[^)]+)\)")]
    private static partial Regex Link();
}
