using QueueScale.Cli.Testing;

namespace QueueScale.Local.Tests;

public sealed class ChangesTests
{
    [Theory]
    [InlineData("src/Store/Steps/Claim.cs", "tests/Store.Tests tests/Api.Tests tests/EndToEnd tests/Faults.Tests", "tests/Jobs.Tests")]
    [InlineData("src/Jobs/JobContext.cs", "tests/Jobs.Tests tests/Worker.Tests tests/EndToEnd", "tests/Store.Tests tests/Checker.Tests")]
    [InlineData("tests/Faults.Checker/Judging/Judge.cs", "tests/Checker.Tests tests/Faults.Tests", "tests/Api.Tests tests/Store.Tests")]
    [InlineData("k8s/base/api.yaml", "tests/Deploy.Tests", "tests/Store.Tests tests/Worker.Tests")]
    [InlineData("Directory.Packages.props", "tests/Worker.Tests tests/Api.Tests tests/Update.Tests", "")]
    [InlineData("LICENSE", "", "tests/Store.Tests tests/Faults.Tests")]
    public void A_changed_file_affects_the_projects_that_compile_or_read_it(string file, string affected, string notAffected)
    {
        var titles = new Changes([file]).Affect(TestProject.All()).Select(project => project.Title).ToArray();
        Assert.Empty(affected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Except(titles));
        Assert.Empty(notAffected.Split(' ', StringSplitOptions.RemoveEmptyEntries).Intersect(titles));
    }

    [Fact]
    public void Projects_with_fewer_dependencies_come_first()
    {
        var titles = new Changes(["src/Contracts/JobState.cs"]).Affect(TestProject.All()).Select(project => project.Title).ToList();
        Assert.True(titles.IndexOf("tests/Jobs.Tests") < titles.IndexOf("tests/Api.Tests"), string.Join(' ', titles));
        Assert.True(titles.IndexOf("tests/Api.Tests") < titles.IndexOf("tests/EndToEnd"), string.Join(' ', titles));
    }
}
