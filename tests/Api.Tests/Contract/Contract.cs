using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Json.Schema;

namespace QueueScale.Tests;

/// <summary>The API's description of itself: its calls, and whether a value is one that it allows.</summary>
public sealed class Contract
{
    /// <summary>Where the description is kept for readers, generators and reviewers.</summary>
    public static readonly string Path = System.IO.Path.Combine(Checkout.Root, "docs", "reference", "openapi.json");

    private static readonly EvaluationOptions Quick = new() { OutputFormat = OutputFormat.Flag, RequireFormatValidation = true };
    private static readonly EvaluationOptions Exact = new() { OutputFormat = OutputFormat.List, RequireFormatValidation = true };

    private readonly JsonNode definitions;
    private readonly ConcurrentDictionary<string, JsonSchema> schemas = new();

    public Contract(string text)
    {
        Root = JsonElement.Parse(text);
        definitions = JsonNode.Parse(Local(Root.GetProperty("components").GetProperty("schemas").GetRawText()))!;
        foreach (var open in definitions.AsObject().Select(one => one.Value!.AsObject()).Where(one => one.ContainsKey("properties")))
        {
            open["additionalProperties"] = false; // an answer may get further members in later versions, but none that is not described
        }

        Calls = [.. Root.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Where(one => one.Name != "parameters").Select(one => new Call(this, one.Name.ToUpperInvariant(), path.Name, one.Value)))];
    }

    /// <summary>The description as it is kept in the checkout.</summary>
    public static Contract Kept { get; } = new(File.ReadAllText(Path));

    /// <summary>All of it.</summary>
    public JsonElement Root { get; }

    /// <summary>In the order of their addresses.</summary>
    public IReadOnlyList<Call> Calls { get; }

    /// <summary>The schemas that have names.</summary>
    public IEnumerable<JsonProperty> Schemas => Root.GetProperty("components").GetProperty("schemas").EnumerateObject();

    public Call Find(string id) => Calls.Single(call => call.Id == id);

    /// <summary>What is written here, or what it refers to.</summary>
    public JsonElement Resolve(JsonElement written) =>
        written.ValueKind == JsonValueKind.Object && written.TryGetProperty("$ref", out var address) ? address.GetString()!.Split('/').Skip(1).Aggregate(Root, (found, step) => found.GetProperty(step)) : written;

    /// <summary>What a schema forbids of a value, with its place; empty where it allows it.</summary>
    public IReadOnlyList<string> Faults(JsonElement schema, JsonElement value) => Faults(schemas.GetOrAdd(schema.GetRawText(), Build), value);

    /// <summary>The same by a schema that is not part of the description.</summary>
    public static IReadOnlyList<string> Faults(JsonSchema schema, JsonElement value)
    {
        if (schema.Evaluate(value, Quick).IsValid)
        {
            return [];
        }

        var result = schema.Evaluate(value, Exact);
        return [.. (result.Details ?? []).Prepend(result).SelectMany(part => (part.Errors ?? new()).Select(error => $"{part.InstanceLocation} ({error.Key}): {error.Value}"))];
    }

    private JsonSchema Build(string text)
    {
        var whole = JsonNode.Parse(Local(text))!.AsObject();
        whole["$schema"] = "https://json-schema.org/draft/2020-12/schema";
        whole["$defs"] = definitions.DeepClone();
        return JsonSchema.FromText(whole.ToJsonString());
    }

    private static string Local(string text) => text.Replace("#/components/schemas/", "#/$defs/", StringComparison.Ordinal);
}

/// <summary>One call of the description.</summary>
public sealed class Call(Contract contract, string method, string path, JsonElement json)
{
    public string Id { get; } = json.GetProperty("operationId").GetString()!;

    public HttpMethod Method { get; } = new(method);

    /// <summary>With the names of what varies in braces.</summary>
    public string Path => path;

    public IReadOnlyList<JsonElement> Parameters { get; } = json.TryGetProperty("parameters", out var parameters) ? [.. parameters.EnumerateArray()] : [];

    /// <summary>Bodies by their content types.</summary>
    public IReadOnlyDictionary<string, JsonElement> Bodies { get; } = json.TryGetProperty("requestBody", out var body) ? ByName(body.GetProperty("content")) : new Dictionary<string, JsonElement>();

    /// <summary>Answers by their statuses.</summary>
    public IReadOnlyDictionary<int, JsonElement> Answers { get; } = ByName(json.GetProperty("responses")).ToDictionary(answer => int.Parse(answer.Key, null), answer => contract.Resolve(answer.Value));

    public string Summary => json.GetProperty("summary").GetString()!;

    /// <summary>The scope that its caller needs.</summary>
    public string Scope => json.GetProperty("security")[0].GetProperty("key")[0].GetString()!;

    /// <summary>The schema of its JSON body.</summary>
    public JsonElement? BodySchema => Bodies.TryGetValue("application/json", out var content) ? content.GetProperty("schema") : null;

    public IEnumerable<string> InPath => Parameters.Where(parameter => parameter.GetProperty("in").GetString() == "path").Select(parameter => parameter.GetProperty("name").GetString()!);

    public override string ToString() => $"{Id} ({method} {path})";

    /// <summary>What an answer has that is not described, and lacks of what is; empty where it is as described.</summary>
    public IReadOnlyList<string> Faults(Answer answer)
    {
        if (!Answers.TryGetValue(answer.Status, out var described))
        {
            return [$"{answer.Status} is not described; {string.Join(", ", Answers.Keys)} are: {answer.Body}"];
        }

        var faults = Headers(described, answer);
        var type = answer.ContentType.Split(';')[0];
        var contents = described.TryGetProperty("content", out var content) ? ByName(content) : new Dictionary<string, JsonElement>();
        if (!contents.TryGetValue(type, out var form))
        {
            return contents.Count == 0 && answer.Body.Length == 0 ? faults : [.. faults, $"its content type is '{type}', and described are {string.Join(", ", contents.Keys)}"];
        }

        return [.. faults, .. contract.Faults(form.GetProperty("schema"), answer.IsJson ? answer.Json : JsonSerializer.SerializeToElement(answer.Body))];
    }

    /// <summary>Every answer has these, whatever it answers.</summary>
    private static readonly string[] Common =
        ["Date", "Transfer-Encoding", "Connection", "Vary", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Cache-Control", "X-Accel-Buffering"];

    private List<string> Headers(JsonElement described, Answer answer)
    {
        var headers = described.TryGetProperty("headers", out var told) ? ByName(told) : new Dictionary<string, JsonElement>();
        var faults = answer.Headers.Where(header => !Common.Contains(header.Key) && !headers.ContainsKey(header.Key)).Select(header => $"its header {header.Key} is not described").ToList();
        foreach (var (name, header) in headers.Select(header => (header.Key, contract.Resolve(header.Value))))
        {
            if (answer.Headers.TryGetValues(name, out var values))
            {
                var schema = header.GetProperty("schema");
                var value = string.Join(", ", values);
                var typed = schema.GetProperty("type").GetString() == "integer" ? JsonElement.Parse(value) : JsonSerializer.SerializeToElement(value);
                faults.AddRange(contract.Faults(schema, typed).Select(fault => $"its header {name}{fault}"));
            }
            else if (header.TryGetProperty("required", out var required) && required.GetBoolean())
            {
                faults.Add($"it lacks the header {name}");
            }
        }

        return faults;
    }

    private static Dictionary<string, JsonElement> ByName(JsonElement json) => json.EnumerateObject().ToDictionary(member => member.Name, member => member.Value, StringComparer.OrdinalIgnoreCase);
}
