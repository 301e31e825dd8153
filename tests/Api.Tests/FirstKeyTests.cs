using System.Text.RegularExpressions;
using QueueScale.Client;

namespace QueueScale.Tests;

public sealed partial class FirstKeyTests(Stage stage) : IClassFixture<Stage>
{
    [Fact]
    public async Task A_system_without_a_key_makes_one_at_its_first_start_and_shows_it_once()
    {
        var apis = await Task.WhenAll(stage.StartApiAsync("api1", settings: ("Auth__BootstrapKey", null)), stage.StartApiAsync("api2", settings: ("Auth__BootstrapKey", null)));
        await stage.StartApiAsync("api3", settings: ("Auth__BootstrapKey", null));
        var shown = new[] { "api1", "api2", "api3" }.SelectMany(name => Shown().Matches(File.ReadAllText(stage.LogOf(name)))).ToArray();
        var key = Assert.Single(shown).Groups[1].Value;
        foreach (var api in apis)
        {
            using var client = new QueueScaleClient(api.Url, key);
            Assert.Equal("first", Assert.Single((await client.GetKeysAsync()).Items).Name);
        }

        using var nobody = new QueueScaleClient(apis[0].Url, Stage.Key);
        Assert.Equal(401, (await Assert.ThrowsAsync<QueueScaleException>(() => nobody.GetKeysAsync())).Status);
    }

    [GeneratedRegex("the first key, shown this once: (qs_[0-9a-z]{12}_[0-9A-Za-z]{38})$", RegexOptions.Multiline)]
    private static partial Regex Shown();
}
