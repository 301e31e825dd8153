using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>Short forms for the OpenAPI document.</summary>
internal static class Produces
{
    public static RouteHandlerBuilder ProducesProblems(this RouteHandlerBuilder route, params int[] statuses)
    {
        foreach (var status in statuses.Concat([401, 429]))
        {
            route.Produces<Problem>(status, "application/problem+json");
        }

        return route;
    }

    /// <summary>Says which scope the caller's key must have.</summary>
    public static RouteHandlerBuilder TellsScope(this RouteHandlerBuilder route, string scope) => route.AddOpenApiOperationTransformer((operation, context, _) =>
    {
        operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(DescribedApi.Key, context.Document)] = [scope] }];
        return Task.CompletedTask;
    });

    /// <summary>Says that answers carry a header.</summary>
    public static RouteHandlerBuilder Tells(this RouteHandlerBuilder route, string header, string description, JsonNode example, bool always, params int[] statuses) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            foreach (var status in statuses)
            {
                var answer = (OpenApiResponse)operation.Responses![$"{status}"];
                answer.Headers ??= new Dictionary<string, IOpenApiHeader>();
                answer.Headers[header] = new OpenApiHeader { Required = always, Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String }, Example = example };
            }

            return Task.CompletedTask;
        });

    /// <summary>Says that answers lead to what they made.</summary>
    public static RouteHandlerBuilder TellsLocation(this RouteHandlerBuilder route, string example, params int[] statuses) =>
        route.Tells("Location", "The relative address of what was made.", example, always: true, statuses);

    /// <summary>Says that a submission may be marked, so that a repeat of it makes no job a second time.</summary>
    public static RouteHandlerBuilder TakesIdempotencyKey(this RouteHandlerBuilder route, params int[] statuses) => route
        .Takes(new OpenApiParameter
        {
            Name = IdempotencyHeader.Name, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = "^[!-~]{1,255}$" }, Example = "8e03978e-40d5-43e8-bc93-6894a57f9324",
            Description = "A word of the caller's for this submission, such as a UUID. The same key with the same body answers with the same job, marked Idempotent-Replayed: true; with another body 422. A key is known for Api:IdempotencyKeyLifetime at least, by default a day.",
        })
        .Tells(IdempotencyHeader.Replayed, "true where an earlier submission with the same key has made the job.", "true", always: false, statuses);

    /// <summary>Says that the answer may be held back until the job is final.</summary>
    public static RouteHandlerBuilder TakesWait(this RouteHandlerBuilder route, params int[] statuses) => route
        .Takes(new OpenApiParameter
        {
            Name = Waiting.Prefer, In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String, Pattern = "^wait=[0-9]+$" }, Example = "wait=10",
            Description = $"wait=N: the answer comes when the job is final, or after N seconds, at most {Waiting.Longest.TotalSeconds}. A submission answers 200 with the final job, or 202.",
        })
        .Tells(Waiting.Applied, "wait=N, where a wait was preferred: for how long at most.", "wait=10", always: false, statuses);

    /// <summary>Says that the answer has a version, and that a caller who has it need not get it again.</summary>
    public static RouteHandlerBuilder TakesVersion(this RouteHandlerBuilder route) => route
        .Takes(new OpenApiParameter
        {
            Name = "If-None-Match", In = ParameterLocation.Header, Schema = new OpenApiSchema { Type = JsonSchemaType.String }, Example = "W/\"123\"",
            Description = "The ETag of an earlier answer: 304 without a body where nothing has changed.",
        })
        .Tells("ETag", "The version of what is answered.", "W/\"123\"", always: true, 200, 304)
        .Tells("Cache-Control", "Whether, and for how long, the caller may keep the answer.", "private, no-cache", always: true, 200, 304);

    /// <summary>Names query parameters that the endpoint reads by itself, so that it can tell all that is wrong with them.</summary>
    public static RouteHandlerBuilder TakesQuery(this RouteHandlerBuilder route, params string[] names) => route.Takes([.. names.Select(Parameters.InQuery)]);

    private static RouteHandlerBuilder Takes(this RouteHandlerBuilder route, params OpenApiParameter[] parameters) => route.AddOpenApiOperationTransformer((operation, _, _) =>
    {
        operation.Parameters = [.. operation.Parameters ?? [], .. parameters];
        return Task.CompletedTask;
    });
}
