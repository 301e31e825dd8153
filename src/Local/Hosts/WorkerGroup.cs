using System.Globalization;

namespace QueueScale.Local;

/// <summary>Workers of one kind: <c>worker-1</c>, <c>worker-2</c> and so on, or <c>worker-NAME-1</c>.</summary>
/// <param name="Name">Its name; empty for the workers that <c>up</c> starts unless told otherwise.</param>
/// <param name="Queues">The queues that they serve.</param>
/// <param name="Slots">Runs at once in each; null for the worker's own default.</param>
public sealed record WorkerGroup(string Name, IReadOnlyList<string> Queues, int? Slots = null)
{
    private const string Prefix = "worker-";

    /// <summary>What <c>up</c> starts.</summary>
    public static WorkerGroup Usual { get; } = new("", ["default", "bulk"]);

    /// <summary>The name of one of its workers.</summary>
    /// <param name="number">From 1 on.</param>
    public string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{(Name.Length > 0 ? $"{Name}-" : "")}{number}");

    /// <summary>A worker's group and number, by its name; null where that is no worker.</summary>
    internal static (string Group, int Number)? Parse(string name)
    {
        if (!name.StartsWith(Prefix, StringComparison.Ordinal)) return null;
        var rest = name[Prefix.Length..];
        var dash = rest.LastIndexOf('-');
        return int.TryParse(rest[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? (dash < 0 ? "" : rest[..dash], number) : null;
    }

    internal Dictionary<string, string?> SettingsOf(string worker, LocalServers servers, string dataRoot)
    {
        var settings = HostSettings.OfWorker(servers.PostgresConnectionString(), servers.RabbitMqUri(), worker, dataRoot, Queues);
        if (Slots is { } slots) settings["Worker__Slots"] = slots.ToString(CultureInfo.InvariantCulture);
        return settings;
    }
}
