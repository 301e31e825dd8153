using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace QueueScale.Tests;

/// <summary>What each part of <c>src</c> may know. A part that needs more is in the wrong place, or this table is.</summary>
public sealed class FencesTests
{
    private static readonly Dictionary<string, string[]> MayReference = new()
    {
        ["Contracts"] = [],
        ["Client"] = ["Contracts"],
        ["Testing"] = ["Contracts"],
        ["Store"] = ["Contracts"],
        ["Bus"] = ["Contracts"],
        ["Cache"] = ["Contracts"],
        ["Jobs"] = ["Contracts"],
        ["Hosting"] = [],
        ["Api"] = ["Contracts", "Store", "Bus", "Cache", "Hosting"],
        ["Worker"] = ["Contracts", "Store", "Bus", "Hosting", "Jobs"],
        ["Local"] = [],
        ["Cli"] = ["Client", "Contracts", "Local"],
    };

    private static readonly (string Namespace, string[] Places)[] OnlyIn =
    [
        ("MassTransit", ["Bus"]),
        ("RabbitMQ", ["Bus"]),
        ("StackExchange.Redis", ["Cache"]),
        ("Npgsql", ["Store", "Jobs/CsvImport", "Cli/Demo"]), // csv.import writes its table itself; the demo checks it by other code
        ("Microsoft.EntityFrameworkCore", ["Store"]),
        ("Serilog", ["Hosting"]),
        ("Quartz", ["Api"]),
        ("Spectre.Console", ["Cli"]),
        ("System.CommandLine", ["Cli"]),
    ];

    private static readonly string Source = Path.Combine(Checkout.Root, "src");

    [Fact]
    public void Every_project_references_what_it_may_and_no_more()
    {
        var projects = Directory.EnumerateFiles(Source, "*.csproj", SearchOption.AllDirectories).ToDictionary(path => Path.GetFileName(Path.GetDirectoryName(path)!));
        Assert.Equal(MayReference.Keys.Order(StringComparer.Ordinal), projects.Keys.Order(StringComparer.Ordinal));
        Assert.All(projects, project => Assert.Subset(
            MayReference[project.Key].ToHashSet(),
            XDocument.Load(project.Value).Descendants("ProjectReference").Select(reference => reference.Attribute("Include")!.Value.Split('/')[^2]).ToHashSet()));
    }

    [Fact]
    public void Every_library_is_used_in_its_place_alone()
    {
        var uses = Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories)
            .Select(path => (Place: Path.GetRelativePath(Source, path), Text: File.ReadAllText(path)))
            .SelectMany(file => Regex.Matches(file.Text, @"^using ([\w.]+);", RegexOptions.Multiline).Select(match => (file.Place, Namespace: match.Groups[1].Value)))
            .ToArray();
        foreach (var (name, places) in OnlyIn)
        {
            var of = uses.Where(use => use.Namespace == name || use.Namespace.StartsWith(name + ".", StringComparison.Ordinal)).ToArray();
            Assert.NotEmpty(of);
            Assert.DoesNotContain(of, use => !places.Any(place => use.Place.StartsWith(place + "/", StringComparison.Ordinal)));
        }
    }
}
