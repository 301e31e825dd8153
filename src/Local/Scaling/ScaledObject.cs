using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace QueueScale.Local;

/// <summary>What KEDA is told of a group of workers: the part of a ScaledObject with one metrics-api trigger that decides how many there are.</summary>
public sealed record ScaledObject
{
    /// <summary>What it scales.</summary>
    public required string Target { get; init; }

    /// <summary>The queue whose backlog counts.</summary>
    public required string Queue { get; init; }

    /// <summary>The member of <c>/v1/queues/{queue}/scale</c> that counts.</summary>
    public required string ValueLocation { get; init; }

    /// <summary>How much of it one worker shall have.</summary>
    public required double TargetValue { get; init; }

    /// <summary>Above this the first worker comes, where there is none.</summary>
    public required double ActivationTargetValue { get; init; }

    public required int MinReplicas { get; init; }

    public required int MaxReplicas { get; init; }

    /// <summary>How often KEDA asks.</summary>
    public required TimeSpan PollingInterval { get; init; }

    /// <summary>For so long the last worker stays without backlog.</summary>
    public required TimeSpan CooldownPeriod { get; init; }

    /// <summary>After so many questions without an answer <see cref="FallbackReplicas"/> counts; null where there is no fallback.</summary>
    public required int? FailureThreshold { get; init; }

    public required int FallbackReplicas { get; init; }

    public required ScalingRules ScaleUp { get; init; }

    public required ScalingRules ScaleDown { get; init; }

    /// <summary>Runs at once in one worker, as far as it tells: one worker is meant for as many jobs as it has slots. Null where it does not count jobs.</summary>
    public int? Slots => ValueLocation == "backlog" ? (int)TargetValue : null;

    /// <summary>Reads a file.</summary>
    /// <exception cref="LocalProblem">It holds none, or one that this stand-in cannot follow.</exception>
    public static ScaledObject Read(string file)
    {
        try
        {
            var reader = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).IgnoreUnmatchedProperties().Build();
            var manifest = reader.Deserialize<Manifest>(File.ReadAllText(file));
            return manifest is { Kind: "ScaledObject", Spec: { ScaleTargetRef: not null, Triggers: [{ Type: "metrics-api" } trigger] } spec }
                && QueueUrl.Match(trigger.Metadata.GetValueOrDefault("url", "")) is { Success: true } url
                ? Of(spec, trigger.Metadata, url.Groups[1].Value)
                : throw new LocalProblem($"{file} is no ScaledObject with one metrics-api trigger on /v1/queues/QUEUE/scale.");
        }
        catch (Exception error) when (error is YamlException or IOException or FormatException)
        {
            throw new LocalProblem($"{file} cannot be read: {error.Message}", error);
        }
    }

    private static readonly Regex QueueUrl = new("/v1/queues/([^/]+)/scale$", RegexOptions.CultureInvariant);

    private static ScaledObject Of(Spec spec, Dictionary<string, string> trigger, string queue)
    {
        var behavior = spec.Advanced?.HorizontalPodAutoscalerConfig?.Behavior;
        return new()
        {
            Target = spec.ScaleTargetRef!.Name,
            Queue = queue,
            ValueLocation = trigger["valueLocation"],
            TargetValue = Number(trigger["targetValue"]),
            ActivationTargetValue = Number(trigger.GetValueOrDefault("activationTargetValue", "0")),
            MinReplicas = spec.MinReplicaCount,
            MaxReplicas = spec.MaxReplicaCount,
            PollingInterval = spec.PollingInterval > 0 ? TimeSpan.FromSeconds(spec.PollingInterval) : throw new FormatException("pollingInterval must be at least 1."),
            CooldownPeriod = TimeSpan.FromSeconds(spec.CooldownPeriod),
            FailureThreshold = spec.Fallback?.FailureThreshold,
            FallbackReplicas = spec.Fallback?.Replicas ?? 0,
            ScaleUp = ScalingRules.Of(behavior?.ScaleUp, ScalingRules.UpDefault),
            ScaleDown = ScalingRules.Of(behavior?.ScaleDown, ScalingRules.DownDefault),
        };
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private sealed class Manifest
    {
        public string Kind { get; set; } = "";
        public Spec? Spec { get; set; }
    }

    private sealed class Spec
    {
        public NamedTarget? ScaleTargetRef { get; set; }
        public int PollingInterval { get; set; } = 30;
        public int CooldownPeriod { get; set; } = 300;
        public int MinReplicaCount { get; set; }
        public int MaxReplicaCount { get; set; } = 100;
        public Fallback? Fallback { get; set; }
        public Advanced? Advanced { get; set; }
        public List<Trigger> Triggers { get; set; } = [];
    }

    private sealed class NamedTarget
    {
        public string Name { get; set; } = "";
    }

    private sealed class Fallback
    {
        public int FailureThreshold { get; set; }
        public int Replicas { get; set; }
    }

    private sealed class Advanced
    {
        public AutoscalerConfig? HorizontalPodAutoscalerConfig { get; set; }
    }

    private sealed class AutoscalerConfig
    {
        public Behavior? Behavior { get; set; }
    }

    private sealed class Behavior
    {
        public ManifestRules? ScaleUp { get; set; }
        public ManifestRules? ScaleDown { get; set; }
    }

    private sealed class Trigger
    {
        public string Type { get; set; } = "";
        public Dictionary<string, string> Metadata { get; set; } = [];
    }
}

/// <summary>How fast the number may change in one direction.</summary>
/// <param name="StabilizationWindow">Of all that was wanted in this time the least change counts.</param>
/// <param name="SelectPolicy">Max: the policy that allows most counts; Min: the one that allows least; Disabled: no change.</param>
/// <param name="Policies">What may change within a time.</param>
public sealed record ScalingRules(TimeSpan StabilizationWindow, string SelectPolicy, IReadOnlyList<ScalingPolicy> Policies)
{
    /// <summary>What Kubernetes does where nothing is said.</summary>
    internal static readonly ScalingRules UpDefault = new(TimeSpan.Zero, "Max", [new("Pods", 4, TimeSpan.FromSeconds(15)), new("Percent", 100, TimeSpan.FromSeconds(15))]);

    internal static readonly ScalingRules DownDefault = new(TimeSpan.FromSeconds(300), "Max", [new("Percent", 100, TimeSpan.FromSeconds(15))]);

    internal static ScalingRules Of(ManifestRules? rules, ScalingRules otherwise) => rules is null ? otherwise : new(
        rules.StabilizationWindowSeconds is { } window ? TimeSpan.FromSeconds(window) : otherwise.StabilizationWindow,
        rules.SelectPolicy ?? "Max",
        rules.Policies is { Count: > 0 } policies ? [.. policies.Select(policy => new ScalingPolicy(policy.Type, policy.Value, TimeSpan.FromSeconds(policy.PeriodSeconds)))] : otherwise.Policies);
}

/// <summary>What may change within a time.</summary>
/// <param name="Type">Pods or Percent.</param>
/// <param name="Value">So many pods, or so many percent of those that there were when the time began.</param>
/// <param name="Period">The time.</param>
public sealed record ScalingPolicy(string Type, int Value, TimeSpan Period);

internal sealed class ManifestRules
{
    public int? StabilizationWindowSeconds { get; set; }
    public string? SelectPolicy { get; set; }
    public List<ManifestPolicy>? Policies { get; set; }
}

internal sealed class ManifestPolicy
{
    public string Type { get; set; } = "";
    public int Value { get; set; }
    public int PeriodSeconds { get; set; }
}
