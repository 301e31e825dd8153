using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>The checks of manifests find what they are there for. A sound manifest passes; with one thing spoiled it does not, and the finding names that thing.</summary>
public sealed class SpoiledManifestTests
{
    private const string Sound = """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: shop, namespace: ns}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: settings, namespace: ns}
        data: {Port: "8080"}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: keys, namespace: ns}
        stringData: {api-key: abc}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: shop
          namespace: ns
          labels: {tier: front}
        spec:
          replicas: 2
          selector: {matchLabels: {app: shop}}
          template:
            metadata: {labels: {app: shop}}
            spec:
              serviceAccountName: shop
              topologySpreadConstraints:
                - {maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: "shop"}}}
              containers:
                - name: shop
                  image: shop:1
                  imagePullPolicy: IfNotPresent
                  ports:
                    - {name: http, containerPort: 8080}
                  envFrom:
                    - configMapRef: {name: settings}
                  env:
                    - name: KEY
                      valueFrom: {secretKeyRef: {name: keys, key: api-key}}
                    - name: ADDRESS
                      value: http://$(KEY)@localhost:$(Port)
                  readinessProbe:
                    httpGet: {path: /ready, port: http}
                  resources:
                    limits: {memory: 128Mi}
                  volumeMounts:
                    - {name: tmp, mountPath: /tmp}
              volumes:
                - {name: tmp, emptyDir: {}}
                - {name: files, persistentVolumeClaim: {claimName: files}}
        ---
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: files, namespace: ns}
        spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: shop, namespace: ns, labels: {app: shop}}
        spec:
          selector: {app: shop}
          ports:
            - {name: web, port: 80, targetPort: http}
        ---
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: shop, namespace: ns}
        spec:
          rules:
            - http:
                paths:
                  - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {name: web}}}}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: shop, namespace: ns}
        spec:
          podSelector:
            matchExpressions:
              - {key: app, operator: In, values: [shop]}
          policyTypes: [Ingress]
          ingress:
            - from: [{podSelector: {matchLabels: {cnpg.io/cluster: db}}}, {namespaceSelector: {}, podSelector: {matchLabels: {app: others}}}]
        ---
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata: {name: shop, namespace: ns}
        spec: {maxUnavailable: 1, selector: {matchLabels: {"app": shop}}}
        ---
        apiVersion: monitoring.coreos.com/v1
        kind: ServiceMonitor
        metadata: {name: shop, namespace: ns}
        spec:
          selector: {matchLabels: {app: shop}}
          endpoints: [{port: web, interval: 15s}]
        ---
        apiVersion: monitoring.coreos.com/v1
        kind: PodMonitor
        metadata: {name: shop, namespace: ns}
        spec:
          selector: {matchLabels: {app: 'shop'}}
          podMetricsEndpoints: [{port: http}]
        ---
        apiVersion: postgresql.cnpg.io/v1
        kind: Cluster
        metadata: {name: db, namespace: ns}
        spec: {instances: 3, storage: {size: 1Gi}}
        ---
        apiVersion: postgresql.cnpg.io/v1
        kind: ScheduledBackup
        metadata: {name: nightly, namespace: ns}
        spec: {schedule: "0 0 2 * * *", cluster: {name: db}}
        ---
        apiVersion: keda.sh/v1alpha1
        kind: TriggerAuthentication
        metadata: {name: key, namespace: ns}
        spec:
          secretTargetRef: [{parameter: token, name: keys, key: api-key}]
        ---
        apiVersion: keda.sh/v1alpha1
        kind: ScaledObject
        metadata: {name: shop, namespace: ns}
        spec:
          scaleTargetRef: {name: shop}
          triggers:
            - type: metrics-api
              metadata:
                url: http://shop.ns.svc/depth
                valueLocation: backlog
                targetValue: "32"
              authenticationRef: {name: key}
        """;

    /// <summary>Maps whose keys no schema knows.</summary>
    private static readonly string[] AuthorsOwn = ["labels", "annotations", "matchLabels", "selector", "data", "requests", "limits", "parameters", "params"];

    [Fact]
    public void A_sound_manifest_passes() => Assert.Empty(Manifests.Check(Sound));

    [Theory]
    // One object by itself.
    [InlineData("replicas: 2", "replicsa: 2", "Deployment/shop: spec: unknown field \"replicsa\"")]
    [InlineData("replicas: 2", "replicas: \"2\"", "Deployment/shop: spec.replicas: must be integer, is string")]
    [InlineData("{Port: \"8080\"}", "{Port: 8080}", "ConfigMap/settings: data.Port: must be string, is integer (8080); quote it")]
    [InlineData("{Port: \"8080\"}", "{Port: yes}", "ConfigMap/settings: data.Port: must be string, is boolean (true); quote it")]
    [InlineData("pathType: Prefix, ", "", "Ingress/shop: spec.rules[0].http.paths[0]: required field \"pathType\" is missing")]
    [InlineData("IfNotPresent", "Sometimes", "imagePullPolicy: \"Sometimes\" is not one of Always, IfNotPresent, Never")]
    [InlineData("memory: 128Mi", "memory: 128MB", "resources.limits.memory: \"128MB\" is not a quantity")]
    [InlineData("interval: 15s", "interval: 15 s", "ServiceMonitor/shop: spec.endpoints[0].interval: \"15 s\" does not match")]
    [InlineData("- {name: tmp, emptyDir: {}}", "- {name: tmp, emptyDir: {}}\n        - {name: tmp, emptyDir: {}}", "volumes[1]: a second one with name \"tmp\"")]
    [InlineData("kind: PodDisruptionBudget", "kind: PodDisruptionBudgte", "no schema for policy/v1 PodDisruptionBudgte")]
    [InlineData("replicas: 2", "replicas: 2\n  replicas: 3", "Duplicate key replicas")]
    [InlineData("{api-key: abc}", "{on: abc}", "the key on is no text; quote it")]
    [InlineData("targetValue: \"32\"", "targetValue: 32", "ScaledObject/shop: spec.triggers[0].metadata.targetValue: must be string, is integer (32); quote it")]
    [InlineData("targetValue: \"32\"", "targetValue: \"32\"\n        tragetValue: \"32\"", "ScaledObject/shop: spec.triggers[0].metadata: unknown key \"tragetValue\" of the trigger \"metrics-api\"")]
    [InlineData("valueLocation: backlog", "format: json", "ScaledObject/shop: spec.triggers[0].metadata: required key \"valueLocation\" of the trigger \"metrics-api\" is missing")]
    [InlineData("type: metrics-api", "type: metric-api", "no keys are listed for the trigger \"metric-api\"")]
    // All together.
    [InlineData("labels: {tier: front}", "labels: {tier: \"front & back\"}", "Deployment/shop: metadata.labels.tier: \"front & back\" is no label value")]
    [InlineData("name: settings, namespace: ns}\ndata", "name: Settings, namespace: ns}\ndata", "ConfigMap/Settings: metadata.name: is no DNS name")]
    [InlineData("metadata: {name: settings, namespace: ns}", "metadata: {name: settings, namespace: ns}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: ns}", "ConfigMap/settings: metadata.name: a second object of this kind and name")]
    [InlineData("selector: {app: shop}", "selector: {app: shpo}", "Service/shop: spec.selector: selects no pods of this set")]
    [InlineData("metadata: {labels: {app: shop}}", "metadata: {labels: {app: shpo}}", "Deployment/shop: spec.selector: does not select the labels of its own template")]
    [InlineData("values: [shop]", "values: [shpo]", "NetworkPolicy/shop: spec.podSelector: selects no pods of this set")]
    [InlineData("{\"app\": shop}", "{\"app\": shpo}", "PodDisruptionBudget/shop: spec.selector: selects no pods of this set")]
    [InlineData("namespace: ns, labels: {app: shop}", "namespace: ns, labels: {app: shpo}", "ServiceMonitor/shop: spec.selector: selects no Service of this set")]
    [InlineData("{app: 'shop'}", "{app: 'shpo'}", "PodMonitor/shop: spec.selector: selects no pods of this set")]
    [InlineData("{cnpg.io/cluster: db}", "{cnpg.io/cluster: bd}", "NetworkPolicy/shop: spec.ingress/egress.podSelector: selects no pods of this set")]
    [InlineData("{app: \"shop\"}", "{app: \"shpo\"}", "Deployment/shop: topologySpreadConstraints: does not select the pod's own labels")]
    [InlineData("[{port: http}]", "[{port: htpt}]", "PodMonitor/shop: spec.podMetricsEndpoints: what is selected has no port named \"htpt\"")]
    [InlineData("port: web, interval", "port: wbe, interval", "ServiceMonitor/shop: spec.endpoints: what is selected has no port named \"wbe\"")]
    [InlineData("targetPort: http", "targetPort: https", "Service/shop: spec.ports.targetPort: what is selected has no port named \"https\"")]
    [InlineData("port: {name: web}", "port: {number: 81}", "Ingress/shop: spec.rules: Service \"shop\" has no port \"81\"")]
    [InlineData("service: {name: shop,", "service: {name: shpo,", "Ingress/shop: spec.rules: Service \"shpo\" is not defined in this set")]
    [InlineData("path: /ready, port: http}", "path: /ready, port: probes}", "Deployment/shop: containers.shop.readinessProbe: the container has no port named \"probes\"")]
    [InlineData("serviceAccountName: shop", "serviceAccountName: shpo", "Deployment/shop: serviceAccountName: ServiceAccount \"shpo\" is not defined in this set")]
    [InlineData("configMapRef: {name: settings}", "configMapRef: {name: setting}", "ConfigMap \"setting\" is not defined in this set")]
    [InlineData("secretKeyRef: {name: keys,", "secretKeyRef: {name: kyes,", "Deployment/shop: containers.shop.env.KEY: Secret \"kyes\" is not defined in this set")]
    [InlineData("{name: keys, key: api-key}}", "{name: keys, key: api_key}}", "Deployment/shop: containers.shop.env.KEY: Secret \"keys\" has no key \"api_key\"")]
    [InlineData("name: keys, key: api-key}]", "name: keys, key: api_key}]", "TriggerAuthentication/key: spec.secretTargetRef: Secret \"keys\" has no key \"api_key\"")]
    [InlineData("claimName: files", "claimName: fiels", "Deployment/shop: volumes.files: PersistentVolumeClaim \"fiels\" is not defined in this set")]
    [InlineData("cluster: {name: db}", "cluster: {name: bd}", "ScheduledBackup/nightly: spec.cluster: Cluster \"bd\" is not defined in this set")]
    [InlineData("$(KEY)", "$(ADDRESS)", "Deployment/shop: containers.shop.env.ADDRESS: no variable before it is named \"ADDRESS\"")]
    [InlineData("- {name: tmp, mountPath", "- {name: tpm, mountPath", "Deployment/shop: containers.shop.volumeMounts: no volume is named \"tpm\"")]
    [InlineData("scaleTargetRef: {name: shop}", "scaleTargetRef: {name: shpo}", "ScaledObject/shop: spec.scaleTargetRef: Deployment \"shpo\" is not defined in this set")]
    [InlineData("authenticationRef: {name: key}", "authenticationRef: {name: kye}", "ScaledObject/shop: spec.triggers.authenticationRef: TriggerAuthentication \"kye\" is not defined in this set")]
    public void What_is_spoiled_is_found_and_named(string sound, string spoiled, string finding)
    {
        Assert.Single(Sound.Split(sound)[1..]); // it is there, once
        Assert.Contains(Manifests.Check(Sound.Replace(sound, spoiled, StringComparison.Ordinal)), found => $"{found}".Contains(finding, StringComparison.Ordinal));
    }

    /// <summary>Words of schemas that hardly any manifest here meets.</summary>
    [Theory]
    [InlineData("""{"minimum": 1, "maximum": 3}""", "2", "4", "lies outside of 1..3")]
    [InlineData("""{"minLength": 1}""", "\"a\"", "\"\"", "lies outside of 1..")]
    [InlineData("""{"maxItems": 1, "items": {"type": "string"}}""", "[\"a\"]", "[\"a\", \"b\"]", "lies outside of ..1")]
    [InlineData("""{"items": {"type": "string"}}""", "[\"a\"]", "[1]", "must be string")]
    [InlineData("""{"x-kubernetes-list-map-keys": ["a", "b"]}""", """[{"a": 1, "b": 1}, {"a": 1, "b": 2}]""", """[{"a": 1, "b": 1}, {"a": 1, "b": 1}]""", "a second one with a \"1\", b \"1\"")]
    [InlineData("""{"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^[0-9]+%$"}""", "\"10%\"", "\"10\"", "does not match")]
    [InlineData("""{"x-kubernetes-int-or-string": true}""", "1", "true", "must be an integer or a string, is boolean")]
    [InlineData("""{"type": "number"}""", "1", "\"1\"", "must be number, is string")]
    [InlineData("""{"type": "integer"}""", "1", "1.5", "must be integer, is number")]
    [InlineData("""{"allOf": [{"required": ["a"]}]}""", """{"a": 1}""", """{"b": 1}""", "required field \"a\" is missing")]
    [InlineData("""{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}""", """{"a": 1, "b": 1}""", """{"c": 1}""", "fits 0 of the 2 alternatives (anyOf)")]
    [InlineData("""{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}""", """{"a": 1}""", """{"a": 1, "b": 1}""", "fits 2 of the 2 alternatives (oneOf)")]
    [InlineData("""{"not": {"required": ["a", "b"]}}""", """{"a": 1}""", """{"a": 1, "b": 1}""", "has a combination of fields that is not allowed")]
    [InlineData("""{"$ref": "Name", "enum": ["a"]}""", "\"a\"", "\"b\"", "is not one of a")]
    [InlineData("""{"properties": {"a": {}}, "x-kubernetes-preserve-unknown-fields": true, "required": ["a"]}""", """{"a": 1, "b": 1}""", """{"a": null, "b": 1}""", "required field \"a\" is missing")]
    public void A_word_of_a_schema_lets_pass_and_refuses(string schema, string sound, string spoiled, string finding)
    {
        var check = new SchemaCheck(JsonNode.Parse("""{"Name": {"type": "string"}}""")!);
        Assert.Empty(check.Of(JsonNode.Parse(sound), JsonNode.Parse(schema)!, ""));
        Assert.Contains(finding, Assert.Single(check.Of(JsonNode.Parse(spoiled), JsonNode.Parse(schema)!, "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Plain_scalars_are_read_as_Kubernetes_reads_them() => Assert.Equal(
        """[8080,-1.5,420,255,true,false,null,"8080","yes","2026-01-01","1.2.3","128Mi"]""",
        Yaml.Documents("[8080, -1.5, 0644, 0xff, yes, off, ~, \"8080\", 'yes', 2026-01-01, 1.2.3, 128Mi]").Single().ToJsonString());

    [Fact]
    public async Task No_field_of_prod_can_be_misspelt_unseen()
    {
        var tried = 0;
        var unseen = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var one in Manifests.Read(await Kustomize.ProdAsync()))
        {
            foreach (var fields in MapsOf(one).Where(map => map.Parent is not JsonObject || !AuthorsOwn.Contains(map.GetPropertyName())).ToArray())
            {
                foreach (var (name, value) in fields.ToArray())
                {
                    fields.Remove(name);
                    fields[$"{name}x"] = value;
                    if (!Schemas.Check(one).Any()) unseen.Add($"{one.Title()} {fields.GetPath()}.{name}");
                    fields.Remove($"{name}x");
                    fields[name] = value;
                    tried++;
                }
            }
        }

        Assert.Empty(unseen);
        Assert.True(tried > 1000, $"{tried} tried");
    }

    [Fact]
    public void A_manifest_without_an_object_is_not_passed() => Assert.NotEmpty(Manifests.Check(""));

    [Fact]
    public void What_is_defined_elsewhere_is_not_missed()
    {
        var spoiled = Sound.Replace("configMapRef: {name: settings}", "secretRef: {name: others}", StringComparison.Ordinal).Replace("$(Port)", "80", StringComparison.Ordinal);
        Assert.NotEmpty(Manifests.Check(spoiled));
        Assert.Empty(Manifests.Check(spoiled, "Secret/others"));
    }

    private static IEnumerable<JsonObject> MapsOf(JsonNode? node) => node switch
    {
        JsonObject map => map.SelectMany(pair => MapsOf(pair.Value)).Prepend(map),
        JsonArray list => list.SelectMany(MapsOf),
        _ => [],
    };
}
