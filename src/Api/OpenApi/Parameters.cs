using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.OpenApi;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>What the parameters of addresses and queries mean, by their names, which mean the same in every call.</summary>
internal static class Parameters
{
    /// <summary>As <see cref="QueueName"/> checks it, in the words of JSON Schema.</summary>
    public const string NamePattern = "^[a-z0-9][a-z0-9_-]{0,62}$";

    private static readonly Dictionary<string, (string Description, OpenApiSchema Schema, JsonNode Example)> Known = new()
    {
        ["state"] = ("Only jobs in this state.", OneOf(Enum.GetNames<JobState>()), "failed"),
        ["type"] = ("Only jobs of this type.", Text(), "csv.import"),
        ["queue"] = ("The name of a queue.", Text(NamePattern), "bulk"),
        ["tag"] = ("Only jobs with this tag.", Text(), "customer-42"),
        ["createdAfter"] = ("Only jobs that were accepted after this time.", Text(format: "date-time"), "2026-01-31T00:00:00Z"),
        ["createdBefore"] = ("Only jobs that were accepted before this time.", Text(format: "date-time"), "2026-02-01T00:00:00Z"),
        ["limit"] = ($"Items on the page at most; {JobQuery.DefaultPage} where it is not given.", Number(1, JobQuery.MaxPage), 50),
        ["after"] = ("Where the page begins: the last item of the one before. The link next holds it.", Text(), "0192f0c1-8a3b-7c4d-9e5f-60718293a4b5"),
        ["fields"] = ("These members of a job alone, separated by commas.", Text("^[a-zA-Z]+(,[a-zA-Z]+)*$"), "id,state"),
        ["from"] = ("Where the jobs begin: at their last checkpoint, or at the start without any.", OneOf("checkpoint", "start"), "checkpoint"),
        ["rate"] = ("Jobs a second at most; without it as fast as it goes.", Number(1, BulkEndpoints.FastestRate), 100),
        ["dryRun"] = ("true: nothing is done, and the answer tells how many jobs fit.", new OpenApiSchema { Type = JsonSchemaType.Boolean }, true),
        ["id"] = ("The id, as the answer that made it told.", Text(format: "uuid"), "0192f0c1-8a3b-7c4d-9e5f-60718293a4b5"),
        ["name"] = ("The name.", Text(NamePattern), "nightly"),
        ["Fleet.name"] = ("The name of a worker; several may have it.", Text(), "worker-1"),
        ["overlap"] = ("How long the old one is still taken; a day where it is not given.", Text(Iso8601.Pattern), "PT1H"),
        ["Keys.id"] = ("The public part of the key, which stands in it behind qs_.", Text(NamePattern), "k3y0f1tself0"),
    };

    public static OpenApiParameter InQuery(string name) => Describe(new OpenApiParameter { Name = name, In = ParameterLocation.Query, Schema = Text() });

    /// <summary>Says of a parameter what is known by its name.</summary>
    public static OpenApiParameter Describe(OpenApiParameter parameter, string? tag = null)
    {
        if (Known.TryGetValue($"{tag}.{parameter.Name}", out var known) || Known.TryGetValue(parameter.Name!, out known))
        {
            parameter.Description ??= known.Description;
            parameter.Schema = known.Schema;
            parameter.Example = known.Example.DeepClone();
        }

        return parameter;
    }

    private static OpenApiSchema Text(string? pattern = null, string? format = null) => new() { Type = JsonSchemaType.String, Pattern = pattern, Format = format };

    private static OpenApiSchema Number(int least, int most) => new() { Type = JsonSchemaType.Integer, Minimum = $"{least}", Maximum = $"{most}" };

    private static OpenApiSchema OneOf(params string[] words) => new() { Type = JsonSchemaType.String, Enum = [.. words.Select(word => JsonValue.Create(JsonNamingPolicy.CamelCase.ConvertName(word)))] };
}
