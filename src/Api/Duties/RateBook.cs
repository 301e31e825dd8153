using QueueScale.Contracts;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>How fast each queue fills and empties, from totals that only grow, over the last ten seconds.</summary>
internal sealed class RateBook(TimeProvider clock)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    /// <summary>Over less than this a rate says nothing.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(0.5);

    private readonly Lock turn = new();
    private readonly Queue<Reading> readings = new();
    private Reading? newest;

    public void Add(IEnumerable<QueueFigures> queues)
    {
        var reading = new Reading(clock.GetTimestamp(), queues.ToDictionary(queue => queue.Name, queue => (queue.Queued, queue.Ended)));
        lock (turn)
        {
            if (newest is not null && clock.GetElapsedTime(newest.At, reading.At) > Window)
            {
                readings.Clear(); // what lies between is nobody's rate of now
            }

            readings.Enqueue(newest = reading);
            while (readings.Count > 2 && clock.GetElapsedTime(readings.Peek().At, reading.At) > Window)
            {
                readings.Dequeue();
            }
        }
    }

    /// <summary>The rates of one queue; null while they are unknown.</summary>
    public QueueRates? Of(string queue)
    {
        lock (turn)
        {
            if (newest is null || clock.GetElapsedTime(newest.At) > Window || clock.GetElapsedTime(readings.Peek().At, newest.At) is var over && over < Least)
            {
                return null;
            }

            // A queue that is not there has no job yet.
            var (before, now) = (readings.Peek().Totals.GetValueOrDefault(queue), newest.Totals.GetValueOrDefault(queue));
            return new QueueRates(PerSecond(now.Queued - before.Queued), PerSecond(now.Ended - before.Ended));

            double PerSecond(long jobs) => Math.Round(Math.Max(0, jobs / over.TotalSeconds), 2); // a recount begins at 0
        }
    }

    private sealed record Reading(long At, Dictionary<string, (long Queued, long Ended)> Totals);
}
