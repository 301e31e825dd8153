using System.Globalization;

namespace QueueScale.Local;

/// <summary>The environment variables by which an API or a worker process is set up. Tests add their own on top.</summary>
public static class HostSettings
{
    /// <summary>What every process needs.</summary>
    public static Dictionary<string, string?> Of(string postgres, string rabbitMq) => new()
    {
        ["ConnectionStrings__Postgres"] = postgres,
        ["ConnectionStrings__RabbitMq"] = rabbitMq,
    };

    /// <summary>An API process.</summary>
    public static Dictionary<string, string?> OfApi(string postgres, string rabbitMq, string key, string? redis = null)
    {
        var settings = new Dictionary<string, string?>(Of(postgres, rabbitMq))
        {
            ["Auth__BootstrapKey"] = key,
            ["Api__DrainDelay"] = "00:00:00", // no proxy here that would have to notice
        };
        if (redis is not null) settings["ConnectionStrings__Redis"] = redis;
        return settings;
    }

    /// <summary>A worker process with the probes switched on.</summary>
    public static Dictionary<string, string?> OfWorker(string postgres, string rabbitMq, string name, string dataRoot, params IReadOnlyList<string> queues)
    {
        var settings = new Dictionary<string, string?>(Of(postgres, rabbitMq))
        {
            ["Worker__Name"] = name,
            ["Jobs__Probes"] = "true",
            ["Jobs__DataRoot"] = dataRoot,
        };
        foreach (var (number, queue) in queues.Index()) settings[string.Create(CultureInfo.InvariantCulture, $"Worker__Queues__{number}")] = queue;
        return settings;
    }
}
