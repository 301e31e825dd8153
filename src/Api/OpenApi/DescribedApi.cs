using System.Globalization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace QueueScale.Api;

/// <summary>What is true of all calls: who may make them, what every answer carries, and what bodies and answers look like.</summary>
internal static class DescribedApi
{
    public const string Key = "key";

    private const string RequestId = "X-Request-Id";

    private const string Words = """
        QueueScale takes jobs over HTTP and lets workers run them.

        **Keys.** Every call needs `Authorization: Bearer qs_…` with a key that has the scope of the call: `submit`, `read`, `operate` or `admin`. None includes another. What another tenant has is not found.

        **Refusals** are `application/problem+json` (RFC 9457). `type` leads to [/docs/problems](/docs/problems), `detail` says what to do, `errors` names what is wrong by JSON pointer.
        Beside those that a call lists, any call may answer 404 (no such address), 405 (with `Allow`), 408, 414 and 431 (the web server's limits) and 500 (a fault; `traceId` finds it in the log).
        429 and 503 carry `Retry-After`.

        **Bodies** are read strictly: a member that is not described is refused with 422. Answers leave out members without a value, and may get further members in later versions.

        **Times** are RFC 3339 in UTC, durations ISO 8601, ids UUIDv7. `Location`, `next` and links are relative.
        """;

    public static Task CompleteAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellation)
    {
        document.Info = new OpenApiInfo { Title = "QueueScale", Version = "v1", Description = Words, License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" } };
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [Key] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "qs_…", Description = "A key of your tenant, with the scope that stands at the call: submit, read, operate or admin." },
        };
        document.Components.Headers = new Dictionary<string, IOpenApiHeader>
        {
            ["RateLimit-Limit"] = Count("Requests that the key may make in a minute, where Api:RequestsPerMinute bounds them."),
            ["RateLimit-Remaining"] = Count("How many of them are left."),
            ["RateLimit-Reset"] = Count("Seconds until there are as many again."),
            [RequestId] = new OpenApiHeader { Required = true, Schema = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = "^[0-9a-f]{32}$" }, Description = "Finds the request in logs and traces.", Example = "4bf92f3577b34da6a3ce929d0e0e4736" },
        };

        var paths = new OpenApiPaths();
        foreach (var (path, item) in document.Paths.OrderBy(path => path.Key, StringComparer.Ordinal))
        {
            paths.Add(path.TrimEnd('/'), item);
        }

        document.Paths = paths;
        document.Tags = document.Tags?.OrderBy(tag => tag.Name, StringComparer.Ordinal).ToHashSet();
        var closed = new HashSet<string>();
        foreach (var operation in paths.Values.SelectMany(item => item.Operations!.Values))
        {
            Complete(operation, document);
            foreach (var content in operation.RequestBody?.Content?.Values ?? [])
            {
                DescribedSchemas.Close(content.Schema, document, closed);
            }
        }

        foreach (var operation in paths.Values.SelectMany(item => item.Operations!.Values).Where(operation => operation.Parameters?.Any(parameter => parameter.Name == "fields") == true))
        {
            DescribedSchemas.AllowParts(operation.Responses!["200"].Content!["application/json"], document);
        }

        foreach (var (id, schema) in document.Components.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        {
            if (!closed.Contains(id))
            {
                DescribedSchemas.ForbidNulls(schema);
            }
        }

        return Task.CompletedTask;
    }

    private static OpenApiHeader Count(string description) => new() { Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "0" }, Example = 42 };

    private static void Complete(OpenApiOperation operation, OpenApiDocument document)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>().Where(parameter => parameter.In == ParameterLocation.Path) ?? [])
        {
            Parameters.Describe(parameter, operation.Tags?.FirstOrDefault()?.Name);
        }

        foreach (var (type, content) in operation.RequestBody?.Content ?? new Dictionary<string, OpenApiMediaType>())
        {
            Examples.AddTo(content, type);
            if (type is JsonBody.LinesType or JsonBody.OtherLinesType)
            {
                content.Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "A submission a line." };
            }
        }

        var answers = new OpenApiResponses();
        foreach (var (code, answer) in operation.Responses!.OrderBy(answer => answer.Key, StringComparer.Ordinal))
        {
            answers.Add(code, Complete((OpenApiResponse)answer, int.Parse(code, CultureInfo.InvariantCulture), operation.OperationId!, document));
        }

        operation.Responses = answers;
    }

    private static IOpenApiResponse Complete(OpenApiResponse answer, int status, string call, OpenApiDocument document)
    {
        answer.Headers ??= new Dictionary<string, IOpenApiHeader>();
        foreach (var header in document.Components!.Headers!.Keys.Where(header => status != StatusCodes.Status401Unauthorized || header == RequestId))
        {
            answer.Headers[header] = new OpenApiHeaderReference(header, document);
        }

        if (status == StatusCodes.Status401Unauthorized)
        {
            answer.Headers["WWW-Authenticate"] = new OpenApiHeader { Required = true, Description = "Bearer", Schema = new OpenApiSchema { Type = JsonSchemaType.String }, Example = "Bearer" };
        }

        if (status is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
        {
            answer.Headers["Retry-After"] = new OpenApiHeader { Required = true, Description = "Seconds after which to come again.", Schema = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1" }, Example = 1 };
        }

        if (status < StatusCodes.Status400BadRequest)
        {
            foreach (var (type, content) in answer.Content ?? new Dictionary<string, OpenApiMediaType>())
            {
                Examples.AddTo(content, type, status);
            }

            return answer;
        }

        if (ProblemExamples.AddTo(answer, call, status) is not { } shared)
        {
            return answer;
        }

        document.Components.Responses ??= new SortedDictionary<string, IOpenApiResponse>(StringComparer.Ordinal);
        document.Components.Responses[shared] = answer;
        return new OpenApiResponseReference(shared, document);
    }
}
