using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

// The least that a .NET web server can do with a JSON request: read it and write it back. What submissions are measured against. And the least that a collector can do.
var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
var app = builder.Build();
app.MapGet("/health/ready", () => Results.Ok());
app.MapPost("/v1/jobs", async (HttpContext context) =>
{
    var body = await JsonSerializer.DeserializeAsync(context.Request.Body, EchoJson.Default.JsonElement);
    await context.Response.WriteAsJsonAsync(body, EchoJson.Default.JsonElement);
});
app.MapPost("/v1/{signal}", (HttpContext context) => context.Request.Body.CopyToAsync(Stream.Null)); // an OTLP collector that keeps nothing
await app.RunAsync();

[JsonSerializable(typeof(JsonElement))]
internal sealed partial class EchoJson : JsonSerializerContext;
