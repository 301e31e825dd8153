using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>The dashboards show data of a live system, and keep to what Grafana takes for certain. Grafana itself is not started: it cannot be had for a test here.</summary>
public sealed partial class DashboardTests(Live live) : IClassFixture<Live>
{
    private static readonly string[] PanelTypes = ["timeseries", "stat", "table", "bargauge", "heatmap"];

    public static TheoryData<string> Files => [.. Dashboards.Files.Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Every_query_of_every_panel_shows_data(string file)
    {
        var api = file.StartsWith("api", StringComparison.Ordinal);
        var problems = new List<string>();
        var path = Dashboards.Files.Single(one => Path.GetFileName(one) == file);
        await Waiting.UntilAsync(async () => (await Scrape.OfAsync(live.Api)).Families.Any(family => family.Name == "queuescale_broker_messages"));
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken); // two scrapes
        foreach (var query in Dashboards.Queries(path, api ? live.Api.Url.Authority : ".+"))
        {
            var series = await live.Prometheus.QueryAsync(query.Expression);
            if (query.Expression.StartsWith("queuescale_drain_seconds", StringComparison.Ordinal))
            {
                continue; // there only while a worker drains, which may fall between two scrapes; LiveTests sees it
            }

            if (!series.Any(one => one.Values.Any(double.IsFinite)))
            {
                problems.Add($"{query.Panel}: no number: {query.Expression}");
            }
            else if (LegendLabel().Matches(query.Legend).FirstOrDefault(label => !series.Any(one => one.Labels.Contains(label.Groups["label"].Value))) is { } missing)
            {
                problems.Add($"{query.Panel}: no series has the legend's {missing.Value}: {query.Expression}");
            }
        }

        Assert.Empty(problems);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_panel_says_what_it_shows_in_which_unit_and_has_a_place_of_its_own(string file)
    {
        var dashboard = Dashboards.Read(Dashboards.Files.Single(one => Path.GetFileName(one) == file));
        Assert.Equal(39, dashboard.GetProperty("schemaVersion").GetInt32());
        Assert.NotEmpty(dashboard.GetProperty("uid").GetString()!);
        var variables = dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => variable.GetProperty("name").GetString()!).ToArray();
        Assert.Equal(["datasource", "job", "instance", "queue", "runbooks"], variables);
        var panels = dashboard.GetProperty("panels").EnumerateArray().ToArray();
        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        var taken = new HashSet<(int, int)>();
        foreach (var panel in panels)
        {
            Assert.Contains(panel.GetProperty("type").GetString(), PanelTypes);
            Assert.NotEmpty(panel.GetProperty("description").GetString()!);
            Assert.NotEmpty(panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString()!);
            Assert.Equal("${datasource}", panel.GetProperty("datasource").GetProperty("uid").GetString());
            Assert.NotEmpty(panel.GetProperty("links").EnumerateArray());
            Assert.All(panel.GetProperty("links").EnumerateArray(), link => Assert.True(LeadsToRunbook(link.GetProperty("url").GetString()!), link.ToString()));
            var place = panel.GetProperty("gridPos");
            var (x, y, w, h) = (Number("x"), Number("y"), Number("w"), Number("h"));
            Assert.True(x + w <= 24);
            Assert.All(from column in Enumerable.Range(x, w) from row in Enumerable.Range(y, h) select (column, row), cell => Assert.True(taken.Add(cell), $"{panel.GetProperty("title")} lies over another panel"));
            foreach (var expression in panel.GetProperty("targets").EnumerateArray().Select(target => target.GetProperty("expr").GetString()!))
            {
                Assert.DoesNotContain("vector(", expression, StringComparison.Ordinal);
                Assert.Empty(FixedRange().Matches(expression));
                Assert.All(Variable().Matches(expression), used => Assert.Contains(used.Groups["name"].Value, variables));
            }

            int Number(string name) => place.GetProperty(name).GetInt32();
        }

        static bool LeadsToRunbook(string url) => RunbookLink().Match(url) is { Success: true } link && File.Exists(Path.Combine(Checkout.Root, "docs", "runbooks", link.Groups["file"].Value));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Each_variable_has_values_and_the_data_source_is_the_provisioned_one(string file)
    {
        var dashboard = Dashboards.Read(Dashboards.Files.Single(one => Path.GetFileName(one) == file));
        foreach (var variable in dashboard.GetProperty("templating").GetProperty("list").EnumerateArray())
        {
            switch (variable.GetProperty("type").GetString())
            {
                case "datasource":
                    var provisioned = await File.ReadAllTextAsync(Path.Combine(Dashboards.Folder, "provisioning", "datasources", "prometheus.yml"), TestContext.Current.CancellationToken);
                    Assert.Contains($"\n    uid: {variable.GetProperty("current").GetProperty("value").GetString()} ", provisioned, StringComparison.Ordinal);
                    break;
                case "query":
                    var asked = LabelValues().Match(variable.GetProperty("query").GetProperty("query").GetString()!);
                    Assert.True(asked.Success, variable.ToString());
                    var series = await live.Prometheus.QueryAsync(asked.Groups["series"].Value.Replace("$job", ".+", StringComparison.Ordinal));
                    Assert.Contains(series, one => one.Labels.Contains(asked.Groups["label"].Value));
                    break;
            }
        }
    }

    [GeneratedRegex(@"\{\{(?<label>\w+)\}\}")]
    private static partial Regex LegendLabel();

    [GeneratedRegex(@"\[(?!\$__rate_interval\])")]
    private static partial Regex FixedRange();

    [GeneratedRegex(@"^\$\{runbooks\}/(?<file>\w+\.md)$")]
    private static partial Regex RunbookLink();

    [GeneratedRegex(@"^label_values\((?<series>.+), (?<label>\w+)\)$")]
    private static partial Regex LabelValues();

    [GeneratedRegex(@"\$(?!__)(?<name>\w+)")]
    private static partial Regex Variable();
}
