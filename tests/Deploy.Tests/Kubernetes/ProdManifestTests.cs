using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace QueueScale.Tests;

/// <summary>What overlays/prod promises beyond its form: closed pods, graceful ends, scaling by backlog, one version, and the alerts and dashboards of monitoring/.</summary>
public sealed partial class ProdManifestTests
{
    private const string PartOf = "app.kubernetes.io/part-of";
    private const string Component = "app.kubernetes.io/component";

    [Fact]
    public void The_alerts_are_those_of_monitoring()
    {
        var rule = Read("k8s", "components", "monitoring", "alerts.yaml");
        var alerts = Read("monitoring", "alerts.yml");
        Assert.Equal(Rules(alerts), Rules(rule)); // says which one differs
        Assert.True(JsonNode.DeepEquals(alerts.At("groups"), rule.At("spec", "groups")));

        static IEnumerable<string> Rules(JsonNode groups) =>
            from @group in groups.Items("groups").Concat(groups.Items("spec", "groups")) from one in @group.Items("rules") select $"{@group.Text("name")}: {one.ToJsonString()}";
    }

    [Fact]
    public async Task The_dashboards_are_those_of_monitoring()
    {
        var maps = (await ProdAsync("ConfigMap")).Where(map => map.Texts("metadata", "labels").GetValueOrDefault("grafana_dashboard") == "1");
        var dashboards = maps.SelectMany(map => map.Texts("data")).ToDictionary();
        var files = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "monitoring", "grafana"), "*.json").ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), dashboards.Keys.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(file.Value, dashboards[file.Key]));
    }

    [Fact]
    public async Task Every_pod_of_ours_keeps_to_the_restricted_profile()
    {
        var space = Assert.Single(await ProdAsync("Namespace"));
        Assert.Equal("restricted", space.Texts("metadata", "labels")["pod-security.kubernetes.io/enforce"]);
        Each(await OursAsync("Deployment", "Job"), workload =>
        {
            var (pod, context) = (workload.PodTemplate().At("spec"), workload.PodTemplate().At("spec", "securityContext"));
            Assert.Equal(
                "token false, non-root true, seccomp RuntimeDefault",
                $"token {pod.Text("automountServiceAccountToken")}, non-root {context.Text("runAsNonRoot")}, seccomp {context.Text("seccompProfile", "type")}");
            Each(workload.PodTemplate().Containers(), container =>
            {
                var own = container.At("securityContext");
                Assert.Equal(
                    """read-only true, escalation false, capabilities {"drop":["ALL"]}""",
                    $"read-only {own.Text("readOnlyRootFilesystem")}, escalation {own.Text("allowPrivilegeEscalation")}, capabilities {own.At("capabilities")?.ToJsonString()}");
                Assert.All(["runAsNonRoot", "runAsUser", "seccompProfile"], field => Assert.Null(own.At(field))); // the pod's hold
                Assert.Equal(["cpu", "memory"], container.Texts("resources", "requests").Keys.Order());
                Assert.Contains("memory", container.Texts("resources", "limits").Keys);
            });
        });
    }

    [Fact]
    public async Task Every_process_is_probed_and_has_time_to_end()
    {
        Each(await OursAsync("Deployment"), deployment =>
        {
            var container = Assert.Single(deployment.PodTemplate().Containers());
            Assert.Equal(
                ["/health/startup", "/health/ready", "/health/live"],
                ((string[])["startupProbe", "readinessProbe", "livenessProbe"]).Select(probe => container.Text(probe, "httpGet", "path")));
            var preStop = container.Number("lifecycle", "preStop", "sleep", "seconds") ?? 0;
            Assert.True(deployment.PodTemplate().Number("spec", "terminationGracePeriodSeconds") > preStop + 25, deployment.Title()); // 25 s after SIGTERM each process is gone
        });
    }

    [Fact]
    public async Task A_rollout_takes_no_pod_away_before_its_successor_is_ready()
    {
        Each(await OursAsync("Deployment"), deployment =>
        {
            Assert.Equal("RollingUpdate", deployment.Text("spec", "strategy", "type"));
            Assert.Equal("0", deployment.Text("spec", "strategy", "rollingUpdate", "maxUnavailable"));
        });
    }

    [Fact]
    public async Task The_autoscaler_alone_says_how_many_there_are_and_keeps_two_APIs()
    {
        var scaled = (await ProdAsync("ScaledObject")).ToDictionary(one => one.Text("spec", "scaleTargetRef", "name")!);
        Each(await OursAsync("Deployment"), deployment =>
        {
            Assert.Null(deployment.At("spec", "replicas")); // each apply would set it back
            var spec = scaled[deployment.Text("metadata", "name")!].At("spec");
            var least = spec.Number("minReplicaCount");
            Assert.True(least < spec.Number("maxReplicaCount"));
            if (IsA(deployment, "api")) Assert.True(least >= 2);
        });
    }

    [Fact]
    public async Task Each_group_of_workers_is_scaled_by_the_backlog_of_its_own_queue_and_slots()
    {
        var scaled = (await ProdAsync("ScaledObject")).ToDictionary(one => one.Text("spec", "scaleTargetRef", "name")!);
        var services = (await ProdAsync("Service")).SelectMany(service => service.Items("spec", "ports").Select(port =>
            $"{service.Text("metadata", "name")}.{service.Text("metadata", "namespace")}.svc:{port.Text("port")}"));
        var workers = (await OursAsync("Deployment")).Where(deployment => IsA(deployment, "worker")).ToArray();
        Assert.NotEmpty(workers);
        Each(workers, worker =>
        {
            var trigger = Assert.Single(scaled[worker.Text("metadata", "name")!].Items("spec", "triggers"));
            Assert.Equal("metrics-api", trigger.Text("type"));
            var url = ScaleUrl().Match(trigger.Text("metadata", "url")!);
            Assert.True(url.Success, trigger.ToJsonString());
            Assert.Contains(url.Groups["service"].Value, services);
            Assert.Equal(Variable(worker, "Worker__Queues__0"), url.Groups["queue"].Value);
            Assert.Null(Variable(worker, "Worker__Queues__1"));
            var target = trigger.Text("metadata", "targetValue");
            Assert.Equal(trigger.Text("metadata", "valueLocation") == "backlog" ? Variable(worker, "Worker__Slots") : "1", target);
        });
    }

    [Fact]
    public async Task PostgreSQL_takes_the_connections_of_all_pods_that_there_may_be()
    {
        var scaled = (await ProdAsync("ScaledObject")).ToDictionary(one => one.Text("spec", "scaleTargetRef", "name")!);
        var deployments = (await OursAsync("Deployment")).Sum(deployment =>
        {
            var pods = scaled[deployment.Text("metadata", "name")!].Number("spec", "maxReplicaCount")!.Value + deployment.Number("spec", "strategy", "rollingUpdate", "maxSurge")!.Value;
            return pods * (IsA(deployment, "api") ? 26 : 10 + Number(Variable(deployment, "Worker__Slots")!) + 8 + 1);
        });
        var cluster = Assert.Single(await ProdAsync("Cluster"));
        var all = deployments + 2; // the migration
        Assert.InRange(all, 1, Number(cluster.Text("spec", "postgresql", "parameters", "max_connections")!) * 9 / 10); // a tenth for pods on their way out
        Assert.Contains($"**{all}**", File.ReadAllText(Path.Combine(Checkout.Root, "docs", "how-to", "deploy-on-kubernetes.md")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_reaches_a_pod_or_leaves_it_unless_a_policy_allows_it() =>
        Assert.Contains(await ProdAsync("NetworkPolicy"), policy =>
            policy.At("spec", "podSelector") is JsonObject { Count: 0 }
            && policy.Items("spec", "policyTypes").Select(one => $"{one}").Order(StringComparer.Ordinal).SequenceEqual(["Egress", "Ingress"])
            && policy.At("spec", "ingress") is null && policy.At("spec", "egress") is null);

    [Fact]
    public async Task The_ingress_leads_to_neither_metrics_nor_health()
    {
        Each(await ProdAsync("Ingress"), ingress =>
        {
            Assert.Null(ingress.At("spec", "defaultBackend"));
            Assert.All(ingress.Items("spec", "rules").SelectMany(rule => rule.Items("http", "paths")), path =>
            {
                Assert.Equal("Prefix", path.Text("pathType"));
                Assert.Contains(path.Text("path"), (string[])["/v1", "/openapi", "/docs"]);
            });
        });
    }

    [Fact]
    public async Task All_images_of_ours_are_named_in_one_place_and_have_one_version()
    {
        var overlay = Read("k8s", "overlays", "prod", "kustomization.yaml");
        var images = overlay.Items("images").Select(image => $"{image.Text("newName")}:{image.Text("newTag")}").ToArray();
        Assert.Single(overlay.Items("images").Select(image => image.Text("newTag")).Distinct());
        var used = (await OursAsync("Deployment", "Job")).SelectMany(workload => workload.PodTemplate().Containers()).Select(container => container.Text("image")).Distinct();
        Assert.Equal(images.Order(StringComparer.Ordinal), used.Order(StringComparer.Ordinal));
        var others = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "k8s"), "kustomization.yaml", SearchOption.AllDirectories).Where(file => !file.Contains("/overlays/", StringComparison.Ordinal));
        Assert.All(others, file => Assert.Null(Read(file).At("images")));
    }

    private static async Task<JsonNode[]> ProdAsync(params string[] kinds)
    {
        JsonNode[] found = [.. Manifests.Read(await Kustomize.ProdAsync()).Where(one => kinds.Contains(one.Text("kind")))];
        Assert.NotEmpty(found);
        return found;
    }

    private static async Task<JsonNode[]> OursAsync(params string[] kinds)
    {
        JsonNode[] ours = [.. (await ProdAsync(kinds)).Where(one => one.Texts("metadata", "labels").GetValueOrDefault(PartOf) == "queuescale")];
        Assert.All(kinds, kind => Assert.Contains(ours, one => one.Text("kind") == kind));
        return ours;
    }

    /// <summary>Assert.All, which names the object that is wrong.</summary>
    private static void Each(IEnumerable<JsonNode> all, Action<JsonNode> inspect) =>
        Assert.All(all.Select(one => KeyValuePair.Create(one.Text("name") ?? one.Title(), one)), pair => inspect(pair.Value));

    private static JsonNode Read(params string[] path) => Yaml.Documents(File.ReadAllText(Path.Combine([Checkout.Root, .. path]))).Single();

    private static bool IsA(JsonNode workload, string component) => workload.Texts("metadata", "labels")[Component] == component;

    private static string? Variable(JsonNode workload, string name) =>
        workload.PodTemplate().Containers().SelectMany(container => container.Items("env")).SingleOrDefault(one => one.Text("name") == name).Text("value");

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    [GeneratedRegex("^http://(?<service>[^/]+)/v1/queues/(?<queue>[^/]+)/scale$")]
    private static partial Regex ScaleUrl();
}
