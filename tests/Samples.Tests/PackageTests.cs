using System.IO.Compression;
using System.Xml.Linq;

namespace QueueScale.Tests;

/// <summary>What a user's project gets.</summary>
public sealed class PackageTests(BuiltSample sample)
{
    private static readonly string[] Names = ["Bus", "Cache", "Client", "Contracts", "Hosting", "Jobs", "Store", "Testing", "Worker"];

    public static TheoryData<string> Packages => [.. Names.Select(name => $"QueueScale.{name}")];

    [Fact]
    public void Everything_that_a_worker_needs_is_packed_and_nothing_else_without_a_warning()
    {
        Assert.Equal(
            Names.Select(name => $"QueueScale.{name}.{BuiltSample.Version}.nupkg"),
            Directory.EnumerateFiles(BuiltSample.Packages).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("warning", sample.PackOutput, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("missing a readme", sample.PackOutput, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [MemberData(nameof(Packages))]
    public void A_package_holds_a_library_its_documentation_and_nothing_of_a_program(string id)
    {
        using var package = Open(id);
        var files = package.Entries.Select(entry => entry.FullName).Where(name => !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal));
        Assert.Equal([$"{id}.nuspec", "README.md", "[Content_Types].xml", $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml"], files.Order(StringComparer.Ordinal));

        var about = About(package);
        Assert.Equal("MIT", about.Single(element => element.Name.LocalName == "license").Value);
        Assert.Contains(about, element => element.Name.LocalName == "description" && element.Value.Length > 20);
        var dependencies = about.Where(element => element.Name.LocalName == "dependency").ToDictionary(element => element.Attribute("id")!.Value, element => element.Attribute("version")!.Value);
        Assert.All(dependencies.Where(dependency => dependency.Key.StartsWith("QueueScale.", StringComparison.Ordinal)), dependency => Assert.Equal(BuiltSample.Version, dependency.Value));
        Assert.DoesNotContain(dependencies.Keys, name => name.StartsWith("xunit", StringComparison.Ordinal));
    }

    [Fact]
    public void The_worker_brings_the_web_framework_that_its_health_checks_need_and_the_parts_for_authors_do_not()
    {
        Assert.Equal(["Microsoft.AspNetCore.App"], FrameworksOf("QueueScale.Worker"));
        Assert.All(["QueueScale.Contracts", "QueueScale.Testing", "QueueScale.Client"], id => Assert.Empty(FrameworksOf(id)));
    }

    [Fact]
    public void The_sample_asks_for_the_version_that_is_packed()
    {
        var packed = XDocument.Load(Path.Combine(Checkout.Root, "Directory.Build.props")).Descendants("Version").Single().Value;
        var asked = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "samples"), "*.csproj", SearchOption.AllDirectories)
            .SelectMany(project => XDocument.Load(project).Descendants("PackageReference"))
            .Where(reference => reference.Attribute("Include")!.Value.StartsWith("QueueScale.", StringComparison.Ordinal));
        Assert.All(asked, reference => Assert.Equal(packed, reference.Attribute("Version")!.Value));
    }

    private static ZipArchive Open(string id) => ZipFile.OpenRead(Path.Combine(BuiltSample.Packages, $"{id}.{BuiltSample.Version}.nupkg"));

    private static List<XElement> About(ZipArchive package)
    {
        using var nuspec = package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return [.. XDocument.Load(nuspec).Descendants()];
    }

    private static IEnumerable<string> FrameworksOf(string id)
    {
        using var package = Open(id);
        return About(package).Where(element => element.Name.LocalName == "frameworkReference").Select(element => element.Attribute("name")!.Value).ToArray();
    }
}
