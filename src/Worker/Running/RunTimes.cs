using System.Collections.Concurrent;
using System.Text.Json;

namespace QueueScale.Worker;

/// <summary>Mean run seconds of this worker, by job type, by queue and over all; recent runs count more.</summary>
internal sealed class RunTimes
{
    private readonly ConcurrentDictionary<string, Mean> types = new();
    private readonly ConcurrentDictionary<string, Mean> queues = new();
    private readonly Mean all = new();

    /// <summary>Mean over all runs; null while none has ended.</summary>
    public double? MeanSeconds => all.Value;

    public void Add(string type, string queue, TimeSpan ran)
    {
        types.GetOrAdd(type, _ => new Mean()).Add(ran.TotalSeconds);
        queues.GetOrAdd(queue, _ => new Mean()).Add(ran.TotalSeconds);
        all.Add(ran.TotalSeconds);
    }

    public double? OfType(string type) => types.TryGetValue(type, out var mean) ? mean.Value : null;

    public double? OfQueue(string queue) => queues.TryGetValue(queue, out var mean) ? mean.Value : null;

    /// <summary><c>{"types": {name: seconds}, "queues": {name: seconds}}</c></summary>
    public string ToJson() => JsonSerializer.Serialize(new Dictionary<string, Dictionary<string, double>>
    {
        ["types"] = types.ToDictionary(t => t.Key, t => t.Value.Value ?? 0),
        ["queues"] = queues.ToDictionary(t => t.Key, t => t.Value.Value ?? 0),
    });

    private sealed class Mean
    {
        /// <summary>The last runs that weigh about two thirds of the mean.</summary>
        private const double Memory = 50;

        private readonly Lock turn = new();
        private double sum;
        private double weight;

        public double? Value
        {
            get
            {
                lock (turn)
                {
                    return weight > 0 ? sum / weight : null;
                }
            }
        }

        public void Add(double seconds)
        {
            lock (turn)
            {
                const double keep = 1 - (1 / Memory);
                sum = (sum * keep) + seconds;
                weight = (weight * keep) + 1;
            }
        }
    }
}
