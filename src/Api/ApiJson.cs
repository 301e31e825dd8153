using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>How the API writes JSON: camelCase, enums as text, members without a value left out.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Job))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(BatchAccepted))]
[JsonSerializable(typeof(BulkRequest))]
[JsonSerializable(typeof(BulkCount))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(Page<JsonObject>))]
[JsonSerializable(typeof(JobExplanation))]
[JsonSerializable(typeof(Page<Job>))]
[JsonSerializable(typeof(Page<Run>))]
[JsonSerializable(typeof(Page<JobTypeInfo>))]
[JsonSerializable(typeof(Page<WorkerInfo>))]
[JsonSerializable(typeof(Page<QueueInfo>))]
[JsonSerializable(typeof(QueueInfo))]
[JsonSerializable(typeof(QueueScaleInfo))]
[JsonSerializable(typeof(SubmitJob))]
[JsonSerializable(typeof(SubmitJob[]))]
[JsonSerializable(typeof(Schedule))]
[JsonSerializable(typeof(Page<Schedule>))]
[JsonSerializable(typeof(PutSchedule))]
[JsonSerializable(typeof(ApiKey))]
[JsonSerializable(typeof(Page<ApiKey>))]
[JsonSerializable(typeof(NewApiKey))]
[JsonSerializable(typeof(HealthReport))]
internal sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>Options of the API's way of writing, for what is written outside of a request.</summary>
    public static JsonSerializerOptions NewOptions()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web);
        Apply(options);
        return options;
    }

    /// <summary>Gives options the API's way of writing.</summary>
    public static void Apply(JsonSerializerOptions options)
    {
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        options.NumberHandling = JsonNumberHandling.Strict; // and so says the description
        options.Converters.Add(new CamelCase<JobState>());
        options.Converters.Add(new CamelCase<JobPriority>());
        options.Converters.Add(new CamelCase<RunEnding>());
        options.Converters.Add(new CamelCase<BulkAction>());
        options.Converters.Add(new CamelCase<WaitReason>());
        options.Converters.Add(new CamelCase<KeyScope>());
        options.TypeInfoResolverChain.Insert(0, Default);
    }
}

internal sealed class CamelCase<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase)
    where T : struct, Enum;
