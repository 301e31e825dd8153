using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>What the API demands of bodies and promises of answers, where their .NET types do not say it.</summary>
internal static class DescribedSchemas
{
    private const string NoControl = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

    /// <summary>Durations have no format: that of RFC 3339 knows no parts of seconds.</summary>
    private static readonly Dictionary<(Type, string), Action<OpenApiSchema>> Rules = new()
    {
        [(typeof(NewApiKey), "name")] = name => (name.MinLength, name.MaxLength, name.Pattern) = (1, KeyReader.LongestName, NoControl),
        [(typeof(NewApiKey), "tenant")] = tenant => tenant.Pattern = Parameters.NamePattern,
        [(typeof(NewApiKey), "scopes")] = scopes => (scopes.MinItems, scopes.UniqueItems) = (1, true),
        [(typeof(SubmitJob), "queue")] = queue => queue.Pattern = Parameters.NamePattern,
        [(typeof(SubmitJob), "maxAttempts")] = number => (number.Minimum, number.Maximum) = ("1", $"{SubmissionReader.MostAttempts}"),
        [(typeof(SubmitJob), "delay")] = delay => delay.Pattern = Iso8601.Pattern,
        [(typeof(SubmitJob), "timeout")] = timeout => timeout.Pattern = Iso8601.Pattern,
        [(typeof(SubmitJob), "uniqueKey")] = key => (key.MinLength, key.MaxLength, key.Pattern) = (1, SubmissionReader.MaxKeyLength, NoControl),
        [(typeof(SubmitJob), "tags")] = tags =>
        {
            tags.MaxItems = SubmissionReader.MaxTags;
            tags.Items = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = SubmissionReader.MaxTagLength, Pattern = NoControl };
        },
    };

    public static Task NarrowAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellation)
    {
        if (context.JsonPropertyInfo is { } member && Rules.TryGetValue((member.DeclaringType, member.Name), out var narrow))
        {
            narrow(schema);
        }

        if (schema is { Enum.Count: > 0, Type: null })
        {
            schema.Type = JsonSchemaType.String;
        }

        return Task.CompletedTask;
    }

    /// <summary>Says that a body has no members but these, and so on into it.</summary>
    public static void Close(IOpenApiSchema? schema, OpenApiDocument document, HashSet<string> closed)
    {
        switch (schema)
        {
            case OpenApiSchemaReference { Reference.Id: { } id }:
                if (closed.Add(id))
                {
                    Close(document.Components!.Schemas![id], document, closed);
                }

                break;
            case OpenApiSchema { Items: { } items }:
                Close(items, document, closed);
                break;
            case OpenApiSchema { OneOf: { Count: > 0 } forms } several:
                foreach (var form in forms)
                {
                    several.Description ??= form.Description;
                    Close(form, document, closed);
                }

                break;
            case OpenApiSchema { Properties: { Count: > 0 } members } whole:
                whole.AdditionalPropertiesAllowed = false;
                foreach (var member in members.Values)
                {
                    Close(member, document, closed);
                }

                break;
        }
    }

    /// <summary>Says that members without a value are left out of answers: they are never null.</summary>
    public static void ForbidNulls(IOpenApiSchema schema)
    {
        foreach (var (name, member) in schema.Properties?.ToArray() ?? [])
        {
            switch (member)
            {
                case OpenApiSchema { Type: { } type } one when type.HasFlag(JsonSchemaType.Null):
                    one.Type = type & ~JsonSchemaType.Null;
                    break;
                case OpenApiSchema { OneOf: { Count: 2 } forms } when forms.SingleOrDefault(form => form.Type != JsonSchemaType.Null) is { } only:
                    schema.Properties![name] = only;
                    break;
            }
        }
    }

    /// <summary>Says that a call which takes <c>fields</c> may answer with a part of each job.</summary>
    public static void AllowParts(OpenApiMediaType content, OpenApiDocument document)
    {
        var schemas = document.Components!.Schemas!;
        if (content.Schema is OpenApiSchemaReference { Reference.Id: { } whole })
        {
            schemas["JobPart"] = new OpenApiSchema { Type = JsonSchemaType.Object, Description = "The members of a job that the query's fields name.", Properties = schemas["Job"].Properties };
            schemas["PageOfJobPart"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Description = schemas["PageOfJob"].Description,
                Required = schemas["PageOfJob"].Required,
                Properties = new Dictionary<string, IOpenApiSchema>(schemas["PageOfJob"].Properties!)
                {
                    ["items"] = new OpenApiSchema { Type = JsonSchemaType.Array, Description = "The page.", Items = new OpenApiSchemaReference("JobPart", document) },
                },
            };
            content.Schema = new OpenApiSchema { AnyOf = [content.Schema, new OpenApiSchemaReference($"{whole}Part", document)] };
        }
    }
}
