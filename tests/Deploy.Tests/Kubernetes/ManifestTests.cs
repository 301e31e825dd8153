namespace QueueScale.Tests;

/// <summary>Every overlay of k8s, and every component that an operator may add to one, is what Kubernetes, KEDA and the operators expect.</summary>
public sealed class ManifestTests
{
    private static readonly string K8s = Path.Combine(Checkout.Root, "k8s");

    /// <summary>Made by the operators or, as prod/secret.example.yaml shows, by hand. Only dev brings its own.</summary>
    private static readonly string[] SecretsOfProd = ["Secret/queuescale", "Secret/queuescale-db-app", "Secret/queuescale-mq-default-user"];

    /// <summary>What docs/how-to/deploy-on-kubernetes.md tells an operator to change in an overlay's kustomization.yaml.</summary>
    private static readonly Dictionary<string, Choice> Choices = new()
    {
        ["prod with PostgreSQL and RabbitMQ elsewhere"] = new("prod", [], // lacks nothing: the example of its secret is in it
        [
            ("- ../../components/operators #", "- ../../components/external-servers #"),
            ("- files.yaml", "- files.yaml\n  - secret.example.yaml"),
        ]),
        ["prod with a collector and Redis"] = new("prod", SecretsOfProd, [("# - ../../components/otlp", "- ../../components/otlp"), ("# - ../../components/external-redis", "- ../../components/external-redis")]),
        ["dev with KEDA"] = new("dev", [], [("# components:\n#   - ../../components/autoscaling", "components:\n  - ../../components/autoscaling")]),
    };

    public static TheoryData<string> Overlays => [.. Directory.EnumerateDirectories(Path.Combine(K8s, "overlays")).Select(folder => Path.GetFileName(folder))];

    public static TheoryData<string> ChoiceNames => [.. Choices.Keys];

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task An_overlay_has_nothing_wrong(string overlay) => NothingWrong(await Kustomize.RenderAsync(Kustomize.Overlay(overlay)), overlay == "dev" ? [] : SecretsOfProd);

    [Theory]
    [MemberData(nameof(ChoiceNames))]
    public async Task A_choice_that_the_how_to_offers_has_nothing_wrong(string choice)
    {
        var (overlay, elsewhere, changes) = Choices[choice];
        var copy = Directory.CreateTempSubdirectory().FullName;
        try
        {
            Copy(K8s, Path.Combine(copy, "k8s"));
            Copy(Path.Combine(Checkout.Root, "monitoring"), Path.Combine(copy, "monitoring"));
            var folder = Path.Combine(copy, "k8s", "overlays", overlay);
            await File.WriteAllTextAsync(Path.Combine(folder, "kustomization.yaml"), Changed(overlay, changes), TestContext.Current.CancellationToken);
            NothingWrong(await Kustomize.RenderAsync(folder), elsewhere);
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    [Fact]
    public void Every_component_is_in_an_overlay_or_in_a_choice()
    {
        var texts = Overlays.Select(overlay => Changed(overlay.Data, [])).Concat(Choices.Values.Select(choice => Changed(choice.Overlay, choice.Changes)));
        var used = texts.SelectMany(text => Yaml.Documents(text)[0].Items("components")).Select(path => Path.GetFileName($"{path}")).ToHashSet();
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(K8s, "components")).Select(folder => Path.GetFileName(folder)).Except(used));
    }

    /// <param name="Overlay">What is changed.</param>
    /// <param name="Elsewhere">What need not be in the set.</param>
    /// <param name="Changes">Pieces of kustomization.yaml.</param>
    private sealed record Choice(string Overlay, string[] Elsewhere, (string Old, string New)[] Changes);

    private static void NothingWrong(string rendered, string[] elsewhere)
    {
        var findings = Manifests.Check(rendered, elsewhere);
        Assert.True(findings.Count == 0, string.Join('\n', findings));
    }

    private static string Changed(string overlay, (string Old, string New)[] changes) =>
        changes.Aggregate(File.ReadAllText(Path.Combine(Kustomize.Overlay(overlay), "kustomization.yaml")), (text, change) =>
        {
            Assert.Contains(change.Old, text, StringComparison.Ordinal);
            return text.Replace(change.Old, change.New, StringComparison.Ordinal);
        });

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
