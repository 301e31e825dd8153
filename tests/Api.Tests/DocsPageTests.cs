using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>The description as a page: all of it comes from the API itself, and it may do no more than it must.</summary>
[Collection(OneApi.Name)]
public sealed partial class DocsPageTests(RunningApi api)
{
    [Fact]
    public async Task The_page_needs_no_key_asks_nobody_else_and_brings_all_that_it_uses()
    {
        using var anyone = new HttpClient { BaseAddress = api.Url };
        using var page = await anyone.GetAsync(new Uri("docs", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        var html = await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.DoesNotContain("://", html, StringComparison.Ordinal);
        Assert.All(Tag().Matches(html), tag => Assert.Contains("src=", tag.Value, StringComparison.Ordinal)); // no script stands in the page itself
        var parts = Part().Matches(html).Select(part => part.Groups[1].Value).ToArray();
        Assert.Contains("index.js", parts);
        foreach (var part in parts)
        {
            using var answer = await anyone.GetAsync(new Uri(page.RequestMessage!.RequestUri!, part), TestContext.Current.CancellationToken);
            Assert.True(answer.IsSuccessStatusCode, $"{part} answers {answer.StatusCode}");
        }

        Assert.Contains("\"/openapi/v1.json\"", await anyone.GetStringAsync(new Uri("docs/index.js", UriKind.Relative), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("docs")]
    [InlineData("docs/index.html")]
    [InlineData("docs/swagger-ui-bundle.js")]
    public async Task The_page_runs_its_own_scripts_and_no_others(string path)
    {
        using var page = await api.NewClient().GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self' 'sha256-", policy, StringComparison.Ordinal);
        Assert.EndsWith("connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Equal("nosniff", page.Headers.GetValues("X-Content-Type-Options").Single());
    }

    [Fact]
    public async Task What_is_not_there_below_the_page_is_a_problem_as_everywhere() => (await api.GetAsync("docs/nothing")).MustRefuse(404);

    [GeneratedRegex("<script[^>]*>")]
    private static partial Regex Tag();

    [GeneratedRegex("(?:src|href)=\"([^\"]+)\"")]
    private static partial Regex Part();
}
