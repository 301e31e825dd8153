using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>Short forms for the OpenAPI document.</summary>
internal static class Produces
{
    public static RouteHandlerBuilder ProducesProblems(this RouteHandlerBuilder route, params int[] statuses)
    {
        foreach (var status in statuses.Append(401))
        {
            route.Produces<Problem>(status, "application/problem+json");
        }

        return route;
    }

    /// <summary>Says that a submission may be marked, so that a repeat of it makes no job a second time.</summary>
    public static RouteHandlerBuilder TakesIdempotencyKey(this RouteHandlerBuilder route) => route.AddOpenApiOperationTransformer((operation, _, _) =>
    {
        operation.Parameters =
        [
            .. operation.Parameters ?? [],
            new OpenApiParameter
            {
                Name = IdempotencyHeader.Name, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String, MinLength = 1, MaxLength = 255 },
                Description = "A word of the caller's for this submission, such as a UUID. The same key with the same body answers with the same job, marked Idempotent-Replayed: true; with another body 422. A key is known for Api:IdempotencyKeyLifetime at least, by default a day.",
            },
        ];
        if (operation.Responses?["202"] is OpenApiResponse accepted)
        {
            accepted.Headers ??= new Dictionary<string, IOpenApiHeader>();
            accepted.Headers[IdempotencyHeader.Replayed] = new OpenApiHeader { Description = "true where an earlier submission with the same key has made the job.", Schema = new OpenApiSchema { Type = JsonSchemaType.Boolean } };
        }

        return Task.CompletedTask;
    });

    /// <summary>Says that the answer may be held back until the job is final.</summary>
    public static RouteHandlerBuilder TakesWait(this RouteHandlerBuilder route) => route.AddOpenApiOperationTransformer((operation, _, _) =>
    {
        operation.Parameters =
        [
            .. operation.Parameters ?? [],
            new OpenApiParameter
            {
                Name = Waiting.Prefer, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = "wait=[0-9]+" },
                Description = $"wait=N: the answer comes when the job is final, or after N seconds, at most {Waiting.Longest.TotalSeconds}. A submission answers 200 with the final job, or 202.",
            },
        ];
        foreach (var answer in operation.Responses?.Where(answer => answer.Key is "200" or "202").Select(answer => answer.Value).OfType<OpenApiResponse>() ?? [])
        {
            answer.Headers ??= new Dictionary<string, IOpenApiHeader>();
            answer.Headers[Waiting.Applied] = new OpenApiHeader { Description = "wait=N, where a wait was preferred: for how long at most.", Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        }

        return Task.CompletedTask;
    });

    /// <summary>Names query parameters that the endpoint reads by itself, so that it can tell all that is wrong with them.</summary>
    public static RouteHandlerBuilder TakesQuery(this RouteHandlerBuilder route, params string[] names) => route.AddOpenApiOperationTransformer((operation, _, _) =>
    {
        operation.Parameters = [.. operation.Parameters ?? [], .. names.Select(name => new OpenApiParameter { Name = name, In = ParameterLocation.Query, Schema = new OpenApiSchema { Type = JsonSchemaType.String } })];
        return Task.CompletedTask;
    });
}
