using System.Text.Encodings.Web;
using System.Text.Json.Nodes;

namespace QueueScale.Tests;

/// <summary>Requests over the description: about half of them as it allows, the others spoilt in one to three places.</summary>
/// <param name="jobs">Ids that a request may name.</param>
/// <param name="types">Registered job types and the schemas of their inputs.</param>
internal sealed class Fuzzer(Contract contract, IReadOnlyList<string> jobs, IReadOnlyDictionary<string, JsonElement> types)
{
    private const int Huge = 300_000;

    private static readonly JsonSerializerOptions AsWritten = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What stands in place of a value, as it is written.</summary>
    private static readonly string[] Odd =
    [
        "null", "true", "0", "-1", "1", "101", "32768", "2147483648", "9223372036854775808", "1.5", "1.0", "-0", "1e400", "1e-400", "1e400000", "NaN", "012", "'x'", "x", "[]", "{}", "[[]]", "[null]", "{\"\":{}}",
        "\"\"", "\" \"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\u202eabc\"", "\"a\nb\"", "\"\\n\"", "\"default\\n\"", "\"default \"", "\"DEFAULT\"", "\"-PT0S\"", "\" PT1S\"", "\"PT\"", "\"P1Y\"", "\"P1W\"", "\"PT1S\\n\"",
        "\"P99999999999999999999D\"", "\"P3651D\"", "\"2030-02-30T00:00:00Z\"", "\"9999-12-31T23:59:59Z\"", "\"0001-01-01T00:00:00Z\"", "\"2030-01-31\"", "\"* * * * *\"", "\"61 * * * *\"", "\"no.such.type\"", "\"high\"", "\"1\"",
        $"\"{new string('x', 64)}\"", $"\"{new string('x', 65)}\"", $"\"{new string('é', 300)}\"", $"\"{new string('x', 70_000)}\"", $"{new string('[', 40)}{new string(']', 40)}", $"{new string('[', 100)}{new string(']', 100)}",
        $"[{string.Join(',', Enumerable.Repeat("\"t\"", 11))}]", new string('9', 500),
    ];

    private static readonly string[] OddWords = ["", " ", "-1", "0", "201", "1e3", "true", "TRUE", "x", "é😀", "%00", "null", "' or 1=1 --", "../../etc/passwd", "2030-13-01T00:00:00Z", "id,", "id,nonsense", new('x', 300), "019a0000000070008000000000000000"];

    private static readonly (string Name, string Value)[] OddHeaders =
    [
        ("Prefer", "wait"), ("Prefer", "wait="), ("Prefer", "wait=-1"), ("Prefer", "wait=x"), ("Prefer", "wait=99999999999"), ("Prefer", "respond-async, wait=0"), ("Idempotency-Key", ""), ("Idempotency-Key", new string('k', 256)),
        ("Idempotency-Key", "a b"), ("Idempotency-Key", "\"quoted\""), ("If-None-Match", "\"1\""), ("If-None-Match", "nonsense"), ("traceparent", "00-0-0-0"), ("Accept", "text/html"), ("Accept-Encoding", "br;q=x"),
    ];

    /// <summary>The n-th request of a seed.</summary>
    public (Call Call, HttpRequestMessage Request) Make(int seed, int n)
    {
        var random = new Random(unchecked((seed * 397) ^ n));
        var values = new SchemaValues(contract.Root, random) { Named = name => Named(name, random) };
        var writing = contract.Calls.Where(call => call.BodySchema is not null).ToArray();
        var call = random.Next(10) < 6 ? values.Pick(writing) : values.Pick(contract.Calls);
        var spoilt = random.Next(20) < 9;
        var path = string.Join('/', call.Path.TrimStart('/').Split('/').Select(part => part.StartsWith('{') ? Uri.EscapeDataString(InPath(part[1..^1])) : part));
        var request = new HttpRequestMessage(call.Method, new Uri(path + Query(), UriKind.Relative));
        foreach (var parameter in call.Parameters.Where(parameter => parameter.GetProperty("in").GetString() == "header" && random.Next(4) == 0))
        {
            request.Headers.TryAddWithoutValidation(parameter.GetProperty("name").GetString()!, values.Fitting(parameter.GetProperty("schema"))!.GetValue<string>());
        }

        if (spoilt && random.Next(4) == 0)
        {
            var (name, value) = values.Pick(OddHeaders);
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (call.BodySchema is not null)
        {
            request.Content = Content();
        }

        return (call, request);

        string InPath(string name) =>
            spoilt && random.Next(6) == 0 ? values.Pick(OddWords[1..]) // without a word it would be another address
            : name == "id" ? values.Pick(jobs)
            : values.Pick(["default", "bulk", "a", "b-c", "nightly", "weekly"]);

        string Query()
        {
            var given = new List<string>();
            foreach (var parameter in call.Parameters.Where(parameter => parameter.GetProperty("in").GetString() == "query" && random.Next(4) == 0))
            {
                var name = parameter.GetProperty("name").GetString()!;
                var value = spoilt && random.Next(4) == 0 ? values.Pick(OddWords) : name == "after" ? values.Pick(jobs) : $"{values.Fitting(parameter.GetProperty("schema"), name)}";
                given.Add($"{name}={Uri.EscapeDataString(value.Length > 0 && value is "True" or "False" ? value.ToLowerInvariant() : value)}");
            }

            if (spoilt && random.Next(8) == 0)
            {
                given.Add(values.Pick(["nonsense=1", "limit=1&limit=2", "=", "&&", "%", "a[]=1"]));
            }

            return given.Count > 0 ? $"?{string.Join('&', given)}" : "";
        }

        ByteArrayContent Content()
        {
            var type = spoilt && random.Next(12) == 0 ? "text/plain" : values.Pick([.. call.Bodies.Keys]);
            var lines = call.BodySchema!.Value.TryGetProperty("items", out var line) && type != "application/json";
            var text = lines
                ? string.Join('\n', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Written(values.Fitting(line), spoilt, random, values)))
                : Written(AtLeastOne(values.Fitting(call.BodySchema!.Value)), spoilt, random, values);
            var content = new ByteArrayContent(spoilt ? Bytes(text, random) : Encoding.UTF8.GetBytes(text));
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            return content;

            JsonNode? AtLeastOne(JsonNode? made) => made is JsonArray { Count: 0 } && line.ValueKind == JsonValueKind.Object ? new JsonArray(values.Fitting(line)) : made;
        }
    }

    private JsonNode? Named(string name, Random random) => name switch
    {
        "type" => types.Keys.ElementAt(random.Next(types.Count)),
        "cron" => random.Next(2) == 0 ? "30 2 * * *" : "0 0 1 1 *",
        "queue" => random.Next(4) == 0 ? null : $"queue-{random.Next(50)}", // of new names only so many are taken
        "timeZone" => random.Next(2) == 0 ? "Europe/Berlin" : "UTC",
        _ => null,
    };

    /// <summary>A body as it is sent: what the schema alone does not say is put right, and then a part of it may be spoilt.</summary>
    private string Written(JsonNode? body, bool spoilt, Random random, SchemaValues values)
    {
        foreach (var job in Objects(body).Where(one => one["type"] is JsonValue type && types.ContainsKey($"{type}")).ToArray())
        {
            job["input"] = new SchemaValues(types[$"{job["type"]}"], random).Fitting(types[$"{job["type"]}"]);
            if (job.Parent is JsonObject)
            {
                job.Remove("runAt"); // a schedule's ticks say when
                job.Remove("delay");
            }
            else if (job.ContainsKey("runAt"))
            {
                job.Remove("delay");
            }
        }

        if (spoilt && random.Next(3) == 0 && Edges(body, values).ToArray() is { Length: > 0 } edges)
        {
            var (at, name, value) = values.Pick(edges);
            at[name] = value;
            return body!.ToJsonString(AsWritten);
        }

        var put = new List<string>();
        for (var faults = spoilt ? random.Next(1, 4) : 0; faults > 0; faults--)
        {
            if (Objects(body).Where(one => one.Count > 0).ToArray() is not { Length: > 0 } objects)
            {
                continue;
            }

            var at = values.Pick(objects);
            var member = values.Pick([.. at.Select(one => one.Key)]);
            switch (random.Next(6))
            {
                case 0:
                    at.Remove(member);
                    break;
                case 1:
                    at[values.Pick(["id", "state", "tenant", "nonsense", "", "a/b~c", "__proto__", "Type"])] = values.Anything();
                    break;
                case 2:
                    at[$"@@{put.Count}@@"] = null;
                    put.Add($"\"{member}\":1"); // twice
                    break;
                default:
                    at[member] = $"@@{put.Count}@@";
                    put.Add(values.Pick(Odd));
                    break;
            }
        }

        var text = body?.ToJsonString(AsWritten) ?? "null";
        foreach (var (index, raw) in put.Index())
        {
            text = text.Replace($"\"@@{index}@@\":null", raw, StringComparison.Ordinal).Replace($"\"@@{index}@@\"", raw, StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>Members of jobs and of their inputs that have bounds, with values at these and beyond.</summary>
    private IEnumerable<(JsonObject At, string Name, JsonNode Value)> Edges(JsonNode? body, SchemaValues values)
    {
        foreach (var job in Objects(body).Where(one => one["type"] is JsonValue type && types.ContainsKey($"{type}")))
        {
            var inputs = types[$"{job["type"]}"].TryGetProperty("properties", out var members) ? members : default;
            foreach (var (at, schemas) in new[] { (job, contract.Schemas.Single(schema => schema.Name == "SubmitJob").Value.GetProperty("properties")), (job["input"] as JsonObject, inputs) })
            {
                foreach (var member in at is not null && schemas.ValueKind == JsonValueKind.Object ? schemas.EnumerateObject() : default)
                {
                    foreach (var value in values.Edges(member.Value))
                    {
                        yield return (at!, member.Name, value);
                    }
                }
            }
        }
    }

    /// <summary>One in ten spoilt bodies is no JSON, or far too long.</summary>
    private static byte[] Bytes(string text, Random random)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        switch (random.Next(40))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                return [.. bytes, .. bytes];
            case 3:
                return [0xEF, 0xBB, 0xBF, .. bytes];
            case 4:
                return [.. Encoding.UTF8.GetBytes(new string(' ', random.Next(Huge))), .. bytes];
            default:
                return bytes;
        }
    }

    private static IEnumerable<JsonObject> Objects(JsonNode? node) => node switch
    {
        JsonObject one => one.Select(member => member.Value).SelectMany(Objects).Prepend(one),
        JsonArray array => array.SelectMany(Objects),
        _ => [],
    };
}
