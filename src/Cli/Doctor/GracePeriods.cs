using System.Globalization;
using System.Text.RegularExpressions;
using QueueScale.Local;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;
using Mapping = System.Collections.Generic.Dictionary<object, object?>;

namespace QueueScale.Cli.Doctor;

/// <summary>Whether what stops a process waits for its end: docker-compose.yml and k8s/base of a checkout against the budgets that they set.</summary>
internal static partial class GracePeriods
{
    private const string DrainBudget = "Worker__DrainBudget";
    private const string DrainDelay = "Api__DrainDelay";
    private static readonly TimeSpan DefaultDrainBudget = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan DefaultDrainDelay = TimeSpan.FromSeconds(5);

    /// <summary>From SIGTERM to the exit of an API; a worker's is longer by what its budget is above 20 s.</summary>
    private static readonly TimeSpan Leaving = TimeSpan.FromSeconds(25);

    private static readonly IDeserializer Yaml = new DeserializerBuilder().Build();

    /// <param name="root">The checkout's folder.</param>
    /// <returns>A finding for each program and each way to run it.</returns>
    /// <exception cref="LocalProblem">A file is no YAML.</exception>
    public static IEnumerable<GracePeriod> Of(string root) => [.. OfCompose(root), .. OfKubernetes(root)];

    private static IEnumerable<GracePeriod> OfCompose(string root)
    {
        const string file = "docker-compose.yml";
        if (!File.Exists(Path.Combine(root, file))) yield break;
        var services = Documents(root, file).Single().In("services");
        foreach (var name in (string[])["api", "worker"])
        {
            var service = services.In(name);
            var settings = service.In("environment").ToDictionary(pair => $"{pair.Key}", pair => $"{pair.Value}");
            var given = service.TryGetValue("stop_grace_period", out var period) ? Seconds($"{period}") : TimeSpan.FromSeconds(10); // Docker's default
            yield return new($"{file}, {name}", given, Needed(name == "worker", settings), "Raise stop_grace_period");
        }
    }

    private static IEnumerable<GracePeriod> OfKubernetes(string root)
    {
        if (!Directory.Exists(Path.Combine(root, "k8s", "base"))) yield break;
        var settings = File.ReadLines(Path.Combine(root, "k8s", "base", "settings.env"))
            .Where(line => !line.StartsWith('#') && line.Contains('=', StringComparison.Ordinal)).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        foreach (var (file, isWorker) in new[] { ("k8s/base/api.yaml", false), ("k8s/base/worker/worker.yaml", true) })
        {
            var pod = Documents(root, file).Single(document => $"{document["kind"]}" == "Deployment").In("spec").In("template").In("spec");
            var given = TimeSpan.FromSeconds(Number(pod.GetValueOrDefault("terminationGracePeriodSeconds") ?? 30)); // Kubernetes' default
            var container = (Mapping)((List<object?>)pod["containers"]!)[0]!;
            var preStop = TimeSpan.FromSeconds(Number(container.In("lifecycle").In("preStop").In("sleep").GetValueOrDefault("seconds") ?? 0));
            yield return new(file, given, preStop + Needed(isWorker, settings), "Raise terminationGracePeriodSeconds");
        }
    }

    private static TimeSpan Needed(bool isWorker, Dictionary<string, string> settings) => isWorker
        ? Leaving + Span(settings, DrainBudget, DefaultDrainBudget) - DefaultDrainBudget
        : Leaving + Span(settings, DrainDelay, DefaultDrainDelay) - DefaultDrainDelay;

    private static TimeSpan Span(Dictionary<string, string> settings, string name, TimeSpan otherwise) =>
        settings.TryGetValue(name, out var text) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span) ? span : otherwise;

    private static IReadOnlyList<Mapping> Documents(string root, string file)
    {
        try
        {
            using var text = File.OpenText(Path.Combine(root, file));
            var parser = new MergingParser(new Parser(text));
            parser.Consume<StreamStart>();
            var documents = new List<Mapping>();
            while (parser.Accept<DocumentStart>(out _)) documents.Add(Yaml.Deserialize<Mapping>(parser));
            return documents;
        }
        catch (YamlException error)
        {
            throw new LocalProblem($"{file} cannot be read: {error.Message}", error);
        }
    }

    private static Mapping In(this Mapping mapping, string name) => mapping.GetValueOrDefault(name) as Mapping ?? [];

    private static double Number(object value) => double.Parse($"{value}", CultureInfo.InvariantCulture);

    /// <summary>Compose's form: <c>1m30s</c>.</summary>
    private static TimeSpan Seconds(string text) => ComposeDuration().Matches(text).Aggregate(TimeSpan.Zero, (sum, part) => sum + (Number(part.Groups[1].Value) * part.Groups[2].Value switch
    {
        "h" => TimeSpan.FromHours(1),
        "m" => TimeSpan.FromMinutes(1),
        _ => TimeSpan.FromSeconds(1),
    }));

    [GeneratedRegex(@"(\d+)(h|m|s)", RegexOptions.CultureInvariant)]
    private static partial Regex ComposeDuration();
}

/// <summary>What a process is given to end, and what it needs.</summary>
/// <param name="Where">The file and what of it.</param>
/// <param name="Given">So long whatever stops it waits before it kills.</param>
/// <param name="Needed">So long the process takes at most.</param>
/// <param name="Remedy">What to change where that is too little.</param>
internal sealed record GracePeriod(string Where, TimeSpan Given, TimeSpan Needed, string Remedy)
{
    public bool IsEnough => Given > Needed;

    public override string ToString() => IsEnough
        ? $"ok     {"grace period",-17} {Where}: {Given.TotalSeconds:0} s, above the {Needed.TotalSeconds:0} s that it takes at most"
        : $"WRONG  {"grace period",-17} {Where}: {Given.TotalSeconds:0} s, not above the {Needed.TotalSeconds:0} s that it takes at most: it is killed before it has handed over. {Remedy} to {Needed.TotalSeconds + 5:0} s.";
}
