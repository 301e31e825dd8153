using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>docs/how-to/write-a-job.md shows the sample, and the sample is the page.</summary>
public sealed partial class PageTests
{
    private static readonly string Samples = Path.Combine(Checkout.Root, "samples");

    [Fact]
    public void Every_file_on_the_page_is_the_file_of_the_sample()
    {
        var page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "how-to", "write-a-job.md"));
        var shown = FileOnPage().Matches(page).ToDictionary(match => match.Groups["file"].Value, match => match.Groups["text"].Value);
        var files = Directory.EnumerateFiles(Samples, "*.*", SearchOption.AllDirectories)
            .Where(file => Path.GetExtension(file) is ".cs" or ".csproj")
            .ToDictionary(file => Path.GetRelativePath(Samples, file), File.ReadAllText);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), shown.Keys.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(file.Value, shown[file.Key]));
    }

    /// <summary>The file's name in bold on a line of its own, then its text between fences.</summary>
    [GeneratedRegex(@"^\*\*(?<file>[^*\n]+)\*\*\n\n?```\w+\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex FileOnPage();
}
