using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace QueueScale.Api;

/// <summary>Checks inputs against the JSON schema that workers registered for their type.</summary>
/// <remarks>It knows the keywords that System.Text.Json derives from .NET types and that attributes add; others say nothing. It asks for what .NET can read: a whole
/// number is written without a point, a length is counted as .NET counts it. A general library (NJsonSchema 10) refused every submission of every type once a schema held
/// <c>true</c>, failed on whole numbers beyond 64 bits, and could not tell where within a nullable list an input is wrong.</remarks>
internal sealed class InputSchema
{
    /// <summary>Patterns are the job author's, texts the caller's: one input's texts are matched for no longer, all together.</summary>
    private static readonly TimeSpan PatternLimit = TimeSpan.FromMilliseconds(250);

    /// <summary>No input is as deep; a schema that leads back to itself without going deeper into the input is.</summary>
    private const int Deepest = 200;

    private readonly JsonElement root;
    private readonly ConcurrentDictionary<string, Regex> patterns = new();

    public InputSchema(string json) => root = JsonElement.Parse(json);

    /// <summary>Notes what is wrong with an input, under its JSON pointers.</summary>
    /// <exception cref="SchemaUnusable">The schema is none.</exception>
    public void Check(JsonElement input, string at, InvalidFields invalid)
    {
        try
        {
            new Checking(this, invalid, TimeProvider.System.GetTimestamp(), 0).Check(root, input, at);
        }
        catch (Exception error) when (error is InvalidOperationException or KeyNotFoundException or ArgumentException or FormatException)
        {
            throw new SchemaUnusable(error);
        }
    }

    /// <summary>One input being checked, or one of the forms that it may have being tried.</summary>
    private readonly struct Checking(InputSchema whole, InvalidFields invalid, long began, int depth)
    {
        public void Check(JsonElement schema, JsonElement value, string at)
        {
            if (schema.ValueKind == JsonValueKind.True)
            {
                return;
            }

            if (schema.ValueKind == JsonValueKind.False)
            {
                invalid.Add(at, "is not allowed");
                return;
            }

            if (depth > Deepest)
            {
                throw new InvalidOperationException("It refers to itself without end.");
            }

            if (schema.TryGetProperty("type", out var type) && !IsOf(value, type))
            {
                invalid.Add(at, $"must be {string.Join(" or ", TypesOf(type).Select(InWords))}");
                return;
            }

            foreach (var keyword in schema.EnumerateObject())
            {
                Check(keyword.Name, keyword.Value, schema, value, at);
            }
        }

        private void Check(string keyword, JsonElement rule, JsonElement schema, JsonElement value, string at)
        {
            var isNumber = value.ValueKind == JsonValueKind.Number;
            var text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
            var isArray = value.ValueKind == JsonValueKind.Array;
            var isObject = value.ValueKind == JsonValueKind.Object;
            switch (keyword)
            {
                case "enum" when !rule.EnumerateArray().Any(allowed => JsonElement.DeepEquals(allowed, value)):
                    invalid.Add(at, $"must be one of {string.Join(", ", rule.EnumerateArray().Select(InWords))}");
                    break;
                case "const" when !JsonElement.DeepEquals(rule, value):
                    invalid.Add(at, $"must be {InWords(rule)}");
                    break;
                case "minimum" when isNumber && Compare(value, rule) < 0:
                    invalid.Add(at, $"must be at least {rule}");
                    break;
                case "maximum" when isNumber && Compare(value, rule) > 0:
                    invalid.Add(at, $"must be at most {rule}");
                    break;
                case "minLength" when text?.Length < rule.GetInt32():
                    invalid.Add(at, $"must have at least {rule} characters");
                    break;
                case "maxLength" when text?.Length > rule.GetInt32():
                    invalid.Add(at, $"must have at most {rule} characters");
                    break;
                case "pattern" when text is not null && !Matches(rule.GetString()!, text):
                    invalid.Add(at, $"must match {Readable(rule.GetString()!)}");
                    break;
                case "format" when text is not null && FormatOf(rule.GetString(), value) is { } format:
                    invalid.Add(at, format);
                    break;
                case "minItems" when isArray && value.GetArrayLength() < rule.GetInt32():
                    invalid.Add(at, $"must have at least {rule} elements");
                    break;
                case "maxItems" when isArray && value.GetArrayLength() > rule.GetInt32():
                    invalid.Add(at, $"must have at most {rule} elements");
                    break;
                case "items" when isArray:
                    foreach (var (index, item) in value.EnumerateArray().Index())
                    {
                        Deeper(invalid).Check(rule, item, $"{at}/{index}");
                    }

                    break;
                case "required" when isObject:
                    foreach (var name in rule.EnumerateArray().Select(name => name.GetString()!).Where(name => !value.TryGetProperty(name, out _)))
                    {
                        invalid.Add($"{at}/{Pointer.Escape(name)}", "is required");
                    }

                    break;
                case "properties" when isObject:
                    foreach (var member in value.EnumerateObject().Where(member => rule.TryGetProperty(member.Name, out _)))
                    {
                        Deeper(invalid).Check(rule.GetProperty(member.Name), member.Value, $"{at}/{Pointer.Escape(member.Name)}");
                    }

                    break;
                case "additionalProperties" when isObject && rule.ValueKind != JsonValueKind.True:
                    foreach (var member in value.EnumerateObject().Where(member => !schema.TryGetProperty("properties", out var known) || !known.TryGetProperty(member.Name, out _)))
                    {
                        var there = $"{at}/{Pointer.Escape(member.Name)}";
                        if (rule.ValueKind == JsonValueKind.False)
                        {
                            invalid.Add(there, "is unknown to this job type");
                        }
                        else
                        {
                            Deeper(invalid).Check(rule, member.Value, there);
                        }
                    }

                    break;
                case "anyOf":
                    CheckForms([.. rule.EnumerateArray()], value, at);
                    break;
                case "$ref":
                    Deeper(invalid).Check(Pointer.Find(whole.root, rule.GetString()!.TrimStart('#')), value, at);
                    break;
            }
        }

        /// <summary>Checks a value that may have one of several forms. Where only one of them is for a value of its type, that one says what is wrong.</summary>
        private void CheckForms(JsonElement[] forms, JsonElement value, string at)
        {
            var faults = new InvalidFields[forms.Length];
            for (var i = 0; i < forms.Length; i++)
            {
                Deeper(faults[i] = new InvalidFields()).Check(forms[i], value, at);
                if (!faults[i].Any)
                {
                    return;
                }
            }

            var types = Array.ConvertAll(forms, form => form.TryGetProperty("type", out var type) ? type : default);
            switch (types.Index().Where(type => type.Item.ValueKind == JsonValueKind.Undefined || IsOf(value, type.Item)).ToArray())
            {
                case []:
                    invalid.Add(at, $"must be {string.Join(" or ", types.SelectMany(TypesOf).Distinct().Select(InWords))}");
                    break;
                case [var (only, _)]:
                    invalid.AddAll(faults[only]);
                    break;
                default:
                    invalid.Add(at, "has none of the forms that its schema allows");
                    break;
            }
        }

        private Checking Deeper(InvalidFields into) => new(whole, into, began, depth + 1);

        private bool Matches(string pattern, string text)
        {
            try
            {
                return TimeProvider.System.GetElapsedTime(began) < PatternLimit
                    && whole.patterns.GetOrAdd(pattern, p => new Regex(p, RegexOptions.CultureInvariant, PatternLimit)).IsMatch(text);
            }
            catch (RegexMatchTimeoutException)
            {
                return false;
            }
        }
    }

    private static string[] TypesOf(JsonElement type) => type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(t => t.GetString()!)] : [type.GetString()!];

    private static bool IsOf(JsonElement value, JsonElement type) => TypesOf(type).Any(name => value.ValueKind switch
    {
        JsonValueKind.Number => name == "number" || (name == "integer" && !value.GetRawText().AsSpan().ContainsAny('.', 'e', 'E')),
        JsonValueKind.True or JsonValueKind.False => name == "boolean",
        _ => string.Equals(name, value.ValueKind.ToString(), StringComparison.OrdinalIgnoreCase),
    });

    /// <summary>A pattern as its author wrote it: workers register it with anchors around it.</summary>
    private static string Readable(string pattern) =>
        pattern.StartsWith("^(?:", StringComparison.Ordinal) && pattern.EndsWith(")$(?!\\n)", StringComparison.Ordinal) ? pattern[4..^8] : pattern;

    private static string InWords(string type) => type switch
    {
        "object" or "array" => $"an {type}",
        "string" or "number" => $"a {type}",
        "integer" => "a whole number, written without a point",
        "boolean" => "true or false",
        _ => type,
    };

    private static string InWords(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    private static int Compare(JsonElement left, JsonElement right) =>
        left.TryGetDecimal(out var l) && right.TryGetDecimal(out var r) ? l.CompareTo(r) : left.GetDouble().CompareTo(right.GetDouble());

    /// <returns>What a text of that format must be; null where it is, or the format is not known here.</returns>
    private static string? FormatOf(string? format, JsonElement value) => format switch
    {
        "date-time" => value.TryGetDateTimeOffset(out _) ? null : "must be a time such as 2030-01-31T12:00:00Z",
        "uuid" => value.TryGetGuid(out _) ? null : "must be a UUID such as 0192f0c1-8a3b-7c4d-9e5f-60718293a4b5",
        _ => null,
    };
}

/// <summary>A schema against which nothing can be checked.</summary>
internal sealed class SchemaUnusable(Exception inner) : Exception(inner.Message, inner);
