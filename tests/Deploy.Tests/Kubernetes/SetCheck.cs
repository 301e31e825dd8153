using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>Holds the objects of a set, each of which is right by itself, against each other: what selects must select something, and what is named must be there.</summary>
internal sealed partial class SetCheck
{
    private readonly IReadOnlyList<JsonNode> objects;
    private readonly IReadOnlySet<string> elsewhere;
    private readonly Dictionary<(string Kind, string Namespace, string Name), JsonNode> defined = [];
    private readonly List<Pods> pods = [];
    private readonly List<Finding> findings = [];

    private SetCheck(IReadOnlyList<JsonNode> objects, IEnumerable<string> elsewhere) => (this.objects, this.elsewhere) = (objects, elsewhere.ToHashSet());

    /// <param name="objects">The set.</param>
    /// <param name="elsewhere">KIND/NAME of what is defined outside of it.</param>
    public static IReadOnlyList<Finding> Of(IReadOnlyList<JsonNode> objects, IEnumerable<string> elsewhere)
    {
        var check = new SetCheck(objects, elsewhere);
        foreach (var one in objects) check.Enter(one);
        foreach (var one in objects)
        {
            check.Labels(one);
            check.Selectors(one);
            check.References(one);
            if (one.PodTemplate() is { } template) check.Pod(one, template);
        }

        return check.findings;
    }

    /// <summary>Pods that there will be.</summary>
    /// <param name="Ports">The names of their ports; null where an operator knows them.</param>
    private sealed record Pods(string Namespace, IReadOnlyDictionary<string, string> Labels, IReadOnlyList<string?>? Ports);

    private void Enter(JsonNode one)
    {
        if (!defined.TryAdd((one.Text("kind")!, NamespaceOf(one), one.Text("metadata", "name")!), one)) Say(one, "metadata.name", "a second object of this kind and name");
        if (!DnsName().IsMatch(one.Text("metadata", "name")!)) Say(one, "metadata.name", "is no DNS name");
        if (one.PodTemplate() is { } template) pods.Add(new(NamespaceOf(one), template.Texts("metadata", "labels"), PortsOf(template)));

        // The labels that the operators give to theirs.
        var label = one.Text("kind") switch { "Cluster" => "cnpg.io/cluster", "RabbitmqCluster" => "app.kubernetes.io/name", _ => null };
        if (label is not null) pods.Add(new(NamespaceOf(one), new Dictionary<string, string> { [label] = one.Text("metadata", "name")! }, null));
    }

    private void Labels(JsonNode one)
    {
        foreach (var (path, labels) in (IEnumerable<(string, IReadOnlyDictionary<string, string>)>)
            [("metadata.labels", one.Texts("metadata", "labels")), ("spec.template.metadata.labels", one.At("spec", "template").Texts("metadata", "labels"))])
        {
            foreach (var (key, value) in labels.Where(label => !LabelValue().IsMatch(label.Value))) Say(one, $"{path}.{key}", $"\"{value}\" is no label value");
        }
    }

    private void Selectors(JsonNode one)
    {
        var selector = one.At("spec", "selector");
        var neighbours = pods.Where(group => group.Namespace == NamespaceOf(one)).ToArray();
        switch (one.Text("kind"))
        {
            case "Deployment" or "StatefulSet" or "DaemonSet" when !Selects(selector, one.PodTemplate().Texts("metadata", "labels")):
                Say(one, "spec.selector", "does not select the labels of its own template");
                break;
            case "PodDisruptionBudget":
                Selected(selector, "spec.selector");
                break;
            case "PodMonitor":
                var scraped = Selected(selector, "spec.selector");
                foreach (var endpoint in one.Items("spec", "podMetricsEndpoints")) Named(endpoint.Text("port"), scraped.Select(group => group.Ports), "spec.podMetricsEndpoints");
                break;
            case "ServiceMonitor":
                var services = objects.Where(other => other.Text("kind") == "Service" && NamespaceOf(other) == NamespaceOf(one)).Where(service => Selects(selector, service.Texts("metadata", "labels"))).ToArray();
                if (services.Length == 0) Say(one, "spec.selector", "selects no Service of this set");
                foreach (var endpoint in one.Items("spec", "endpoints")) Named(endpoint.Text("port"), services.Select(service => Names(service.Items("spec", "ports"))), "spec.endpoints");
                break;
            case "Service" when selector is JsonObject { Count: > 0 } labels:
                var behind = Selected(new JsonObject { ["matchLabels"] = labels.DeepClone() }, "spec.selector");
                var targets = one.Items("spec", "ports").Select(port => port.Text("targetPort"));
                foreach (var port in targets.Where(port => !int.TryParse(port, out _))) Named(port, behind.Select(group => group.Ports), "spec.ports.targetPort");
                break;
            case "NetworkPolicy":
                Selected(one.At("spec", "podSelector"), "spec.podSelector");
                var peers = one.Items("spec", "ingress").SelectMany(rule => rule.Items("from")).Concat(one.Items("spec", "egress").SelectMany(rule => rule.Items("to")));
                foreach (var peer in peers.Where(peer => peer.At("namespaceSelector") is null)) // those of other namespaces are not in this set
                {
                    if (peer.At("podSelector") is { } others) Selected(others, "spec.ingress/egress.podSelector");
                }

                break;
        }

        Pods[] Selected(JsonNode? by, string path)
        {
            Pods[] selected = [.. neighbours.Where(group => Selects(by, group.Labels))];
            if (selected.Length == 0) Say(one, path, $"selects no pods of this set: {by?.ToJsonString()}");
            return selected;
        }

        void Named(string? port, IEnumerable<IReadOnlyList<string?>?> groups, string path)
        {
            if (port is not null && groups.Any(ports => ports is not null && !ports.Contains(port))) Say(one, path, $"what is selected has no port named \"{port}\"");
        }
    }

    private void References(JsonNode one)
    {
        var spec = one.At("spec");
        switch (one.Text("kind"))
        {
            case "ScaledObject" or "HorizontalPodAutoscaler":
                Need(one, spec.Text("scaleTargetRef", "kind") ?? "Deployment", spec.Text("scaleTargetRef", "name"), "spec.scaleTargetRef");
                foreach (var reference in spec.Items("triggers").Select(trigger => trigger.At("authenticationRef")))
                {
                    Need(one, reference.Text("kind") ?? "TriggerAuthentication", reference.Text("name"), "spec.triggers.authenticationRef");
                }

                break;
            case "TriggerAuthentication":
                foreach (var reference in spec.Items("secretTargetRef")) NeedKey(one, "Secret", reference, "spec.secretTargetRef");
                break;
            case "ScheduledBackup":
                Need(one, "Cluster", spec.Text("cluster", "name"), "spec.cluster");
                break;
            case "Ingress":
                var backends = spec.Items("rules").SelectMany(rule => rule.Items("http", "paths")).Select(path => path.At("backend")).Append(spec.At("defaultBackend"));
                foreach (var backend in backends.Select(backend => backend.At("service")).OfType<JsonNode>())
                {
                    var ports = Need(one, "Service", backend.Text("name"), "spec.rules").Items("spec", "ports").ToArray();
                    var wanted = backend.Text("port", "name") ?? backend.Text("port", "number");
                    var isThere = ports.Length == 0 || ports.Any(port => port.Text("name") == wanted || port.Text("port") == wanted);
                    if (!isThere) Say(one, "spec.rules", $"Service \"{backend.Text("name")}\" has no port \"{wanted}\"");
                }

                break;
        }
    }

    private void Pod(JsonNode one, JsonNode template)
    {
        var pod = template.At("spec");
        if (pod.Text("serviceAccountName") is not "default" and var account) Need(one, "ServiceAccount", account, "serviceAccountName");
        foreach (var spread in pod.Items("topologySpreadConstraints").Where(spread => !Selects(spread.At("labelSelector"), template.Texts("metadata", "labels"))))
        {
            Say(one, "topologySpreadConstraints", $"does not select the pod's own labels: {spread.At("labelSelector")?.ToJsonString()}");
        }

        foreach (var volume in pod.Items("volumes"))
        {
            var path = $"volumes.{volume.Text("name")}";
            Need(one, "ConfigMap", volume.Text("configMap", "name"), path, volume.Flag("configMap", "optional"));
            Need(one, "Secret", volume.Text("secret", "secretName"), path, volume.Flag("secret", "optional"));
            Need(one, "PersistentVolumeClaim", volume.Text("persistentVolumeClaim", "claimName"), path);
        }

        var volumes = Names(pod.Items("volumes").Concat(one.Items("spec", "volumeClaimTemplates").Select(claim => claim.At("metadata")!)));
        foreach (var container in template.Containers()) Container(one, container, volumes);
    }

    private void Container(JsonNode one, JsonNode container, IReadOnlyList<string?> volumes)
    {
        var (where, ports) = ($"containers.{container.Text("name")}", Names(container.Items("ports")));
        foreach (var mount in container.Items("volumeMounts").Select(mount => mount.Text("name")).Except(volumes)) Say(one, $"{where}.volumeMounts", $"no volume is named \"{mount}\"");

        foreach (var probe in (string[])["startupProbe", "readinessProbe", "livenessProbe"])
        {
            var port = container.Text(probe, "httpGet", "port") ?? container.Text(probe, "tcpSocket", "port");
            if (port is not null && !int.TryParse(port, out _) && !ports.Contains(port)) Say(one, $"{where}.{probe}", $"the container has no port named \"{port}\"");
        }

        // $(NAME) is filled in from variables that stand before it, and stays as it is where there is none.
        var set = new HashSet<string>();
        foreach (var source in container.Items("envFrom"))
        {
            foreach (var (field, kind) in Sources("configMapRef", "secretRef"))
            {
                set.UnionWith(KeysOf(Need(one, kind, source.Text(field, "name"), $"{where}.envFrom", source.Flag(field, "optional"))).Select(key => source.Text("prefix") + key));
            }
        }

        foreach (var variable in container.Items("env"))
        {
            var path = $"{where}.env.{variable.Text("name")}";
            foreach (var (field, kind) in Sources("configMapKeyRef", "secretKeyRef")) NeedKey(one, kind, variable.At("valueFrom", field), path);
            foreach (var name in Reference().Matches(variable.Text("value") ?? "").Select(match => match.Groups["name"].Value).Except(set)) Say(one, path, $"no variable before it is named \"{name}\"");
            set.Add(variable.Text("name")!);
        }

        static (string, string)[] Sources(string configMap, string secret) => [(configMap, "ConfigMap"), (secret, "Secret")];
    }

    private JsonNode? Need(JsonNode one, string kind, string? name, string path, bool isOptional = false)
    {
        if (name is null) return null;
        if (defined.TryGetValue((kind, NamespaceOf(one), name), out var found)) return found;
        if (!isOptional && !elsewhere.Contains($"{kind}/{name}")) Say(one, path, $"{kind} \"{name}\" is not defined in this set");
        return null;
    }

    private void NeedKey(JsonNode one, string kind, JsonNode? reference, string path)
    {
        var isOptional = reference.Flag("optional");
        if (Need(one, kind, reference.Text("name"), path, isOptional) is { } found && !isOptional && !KeysOf(found).Contains(reference.Text("key")))
        {
            Say(one, path, $"{kind} \"{reference.Text("name")}\" has no key \"{reference.Text("key")}\"");
        }
    }

    private static IEnumerable<string> KeysOf(JsonNode? map) => ((string[])["data", "stringData", "binaryData"]).SelectMany(field => map.Texts(field).Keys);

    private static bool Selects(JsonNode? selector, IReadOnlyDictionary<string, string> labels) =>
        selector is not null
        && selector.Texts("matchLabels").All(label => labels.GetValueOrDefault(label.Key) == label.Value)
        && selector.Items("matchExpressions").All(expression =>
        {
            var (value, values) = (labels.GetValueOrDefault(expression.Text("key")!), expression.Items("values").Select(one => $"{one}"));
            return expression.Text("operator") switch
            {
                "In" => values.Contains(value),
                "NotIn" => !values.Contains(value),
                "Exists" => value is not null,
                _ => value is null,
            };
        });

    private static string NamespaceOf(JsonNode one) => one.Text("metadata", "namespace") ?? "";

    private static IReadOnlyList<string?> PortsOf(JsonNode template) => Names(template.Containers().SelectMany(container => container.Items("ports")));

    private static IReadOnlyList<string?> Names(IEnumerable<JsonNode> items) => [.. items.Select(item => item.Text("name"))];

    private void Say(JsonNode one, string path, string message) => findings.Add(new(one.Title(), path, message));

    [GeneratedRegex("^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    private static partial Regex DnsName();

    [GeneratedRegex("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
    private static partial Regex LabelValue();

    [GeneratedRegex(@"(?<!\$)\$\((?<name>[-._A-Za-z0-9]+)\)")]
    private static partial Regex Reference();
}
