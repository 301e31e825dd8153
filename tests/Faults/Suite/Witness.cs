using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using QueueScale.Contracts;
using QueueScale.Faults.Checker;

namespace QueueScale.Faults;

/// <summary>Gathers what all sources say once the work is drained.</summary>
internal static partial class Witness
{
    public static async Task<History> TellAsync(Ground ground, Load load, IReadOnlyList<Fault> faults, SuiteOptions options, IReadOnlyList<DepthSample>? depth = null, TimeSpan? untilAtRest = null) => new()
    {
        Options = options,
        AfterDrain = new AfterDrain
        {
            At = DateTime.UtcNow, Queues = await BrokerQueuesAsync(ground.Broker, untilAtRest), LateWrites = LateWrites(ground), StartedByHand = ground.StartedByHand,
        },
        Client = load.Events,
        Jobs = [.. (await ground.RowsAsync(JobRow.Select)).Select(HistoryFiles.Parse<JobRow>)],
        Runs = [.. (await ground.RowsAsync(RunRow.Select)).Select(HistoryFiles.Parse<RunRow>)],
        Moves = [.. (await ground.RowsAsync(JobMove.Select)).Select(HistoryFiles.Parse<JobMove>)],
        Faults = faults,
        Depth = depth ?? [],
    };

    /// <summary>The counts of all queues that are served, when they have come to rest: the broker counts some seconds late.</summary>
    public static async Task<IReadOnlyList<BrokerQueue>> BrokerQueuesAsync(RabbitServer broker, TimeSpan? patience = null)
    {
        using var client = broker.ManagementClient();
        IReadOnlyList<BrokerQueue> queues = [];
        await Ground.UntilAsync(async () =>
        {
            queues = [.. (await client.GetFromJsonAsync<JsonElement>($"api/queues/{RabbitServer.DefaultVhost}")).EnumerateArray().Select(queue =>
                    new BrokerQueue(queue.GetProperty("name").GetString()!, Count(queue, "messages_ready"), Count(queue, "messages_unacknowledged")))
                .Where(queue => queue.Name != QueueName.Physical(Ground.Later, QueueName.Normal))]; // probes wait there for a worker
            return queues.All(queue => queue is { Ready: 0, Unacked: 0 } || queue.Name.EndsWith("_error", StringComparison.Ordinal) || queue.Name.EndsWith("_skipped", StringComparison.Ordinal));
        }, patience ?? TimeSpan.FromSeconds(12));
        return queues;
    }

    private static long Count(JsonElement queue, string name) => queue.TryGetProperty(name, out var count) ? count.GetInt64() : 0;

    /// <summary>By job: runs that were told, as they tried to write, that it belongs to another.</summary>
    private static Dictionary<Guid, int> LateWrites(Ground ground) => Directory.EnumerateFiles(ground.Folder.Logs, "worker-*").SelectMany(File.ReadLines)
        .Where(line => line.Contains("it belongs to another run by now", StringComparison.Ordinal))
        .CountBy(line => Guid.TryParse(JobOfLine().Match(line).Groups[1].ValueSpan, out var job) ? job : Guid.Empty).ToDictionary();

    [GeneratedRegex("Job ([0-9a-f-]{36}) ")]
    private static partial Regex JobOfLine();
}
