using System.Text.Json;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace QueueScale.Api;

/// <summary>The API's description of itself. It is the same for every caller for as long as the process lives, so it is made once.</summary>
internal sealed class Description([FromKeyedServices(Description.Name)] IOpenApiDocumentProvider documents)
{
    public const string Address = $"/openapi/{Name}.json";

    private const string Name = "v1";

    private readonly Lazy<Task<string>> text = new(async () => await (await documents.GetOpenApiDocumentAsync()).SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1));

    public static void Add(IServiceCollection services)
    {
        services.AddOpenApi(Name, options =>
        {
            options.CreateSchemaReferenceId = type => type.Type == typeof(JsonElement) || type.Type == typeof(JsonElement?) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type); // any JSON needs no name
            options.AddSchemaTransformer(DescribedSchemas.NarrowAsync);
            options.AddDocumentTransformer(DescribedApi.CompleteAsync);
        });
        services.AddSingleton<Description>();
    }

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapGet(Address, async (Description description) => Results.Text(await description.text.Value, "application/json")).ExcludeFromDescription();
}
