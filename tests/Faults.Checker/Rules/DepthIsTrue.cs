using QueueScale.Contracts;

namespace QueueScale.Faults.Checker;

/// <summary>C10: the depth that an API or a worker shows is one that the table had a moment ago; while nobody can know it none is shown, and never a 0.</summary>
/// <remarks>It must lie between the least and the most that there was since a moment ago, as the suite's own looks at the table have it and every move in between.
/// A moment is a tick in calm times, and the time that reading takes; and as long as a figure may be shown around a fault. Give or take 1 %, or the largest statement: its moves are noted
/// before they are committed.</remarks>
internal static class DepthIsTrue
{
    /// <summary>An API reads the depth once a second, and so does the suite.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Reading = TimeSpan.FromSeconds(0.25);

    private static readonly (string Name, Func<QueueDepth, long?> Of, JobState[] States)[] Kinds =
    [
        ("ready", depth => depth.Ready, [JobState.Queued]),
        ("running", depth => depth.Running, [JobState.Running]),
        ("waiting", depth => depth.Waiting, [JobState.Scheduled, JobState.Retrying]),
    ];

    public static IEnumerable<Break> Check(Evidence evidence)
    {
        var samples = evidence.History.Depth;
        var table = samples.SelectMany(sample => new[] { sample.Before, sample.After }).Distinct().ToArray();
        var course = samples.Count > 0 ? CourseOf(evidence) : [];
        var wrong = new List<(string Who, string What, double By)>();
        foreach (var sample in samples.Where(sample => sample.Shown.Queues is not null))
        {
            var since = Since(evidence, sample);
            var near = table.Where(reading => reading.Until >= since && reading.From <= sample.After.Until && reading.Queues is not null).ToArray();
            if (near.Length == 0)
            {
                if (LastBeforeSilence(table, since) is not { } last)
                {
                    wrong.Add(($"{sample.Who} showed a depth", $"at {sample.Shown.From:HH:mm:ss.f}, although PostgreSQL had not answered since {since:HH:mm:ss.f}", double.MaxValue));
                    continue;
                }

                near = [last];
            }

            foreach (var queue in near.Append(sample.Shown).SelectMany(reading => reading.Queues!).Select(depth => depth.Queue).Distinct())
            {
                foreach (var (name, of, _) in Kinds)
                {
                    var (had, largest) = course.TryGetValue((queue, name), out var moves) ? moves.Between(since, sample.After.Until) : ([], 0);
                    had.AddRange(near.Select(reading => In(reading, queue, of)));
                    if (sample.Shown.Queues!.Any(depth => of(depth) is null))
                    {
                        continue; // not shown
                    }

                    var shown = In(sample.Shown, queue, of);
                    var by = Math.Max(had.Min() - shown, shown - had.Max());
                    if (by > Math.Max(0.01 * had.Max(), largest))
                    {
                        wrong.Add(($"{sample.Who} showed a wrong number of {name} jobs in {queue}", $"{shown} at {sample.Shown.From:HH:mm:ss.f}, and there were {had.Min()} to {had.Max()}", by));
                    }
                }
            }
        }

        foreach (var one in wrong.GroupBy(found => found.Who))
        {
            yield return new($"{one.Key} {one.Count()} times: {one.MaxBy(found => found.By).What}.");
        }

        foreach (var last in samples.GroupBy(sample => sample.Who).Select(of => of.MaxBy(sample => sample.Shown.From)!).Where(last => last.Shown.Queues is null && last.After.Queues is not null))
        {
            yield return new($"{last.Who} showed no depth at {last.Shown.From:HH:mm:ss.f}, long after the last fault.");
        }
    }

    /// <summary>What was so at this moment or later may be shown.</summary>
    internal static DateTime Since(Evidence evidence, DepthSample sample)
    {
        var longest = evidence.History.Options.DepthGoodFor;
        var isCalm = !evidence.History.Faults.Any(fault => fault.Begun <= sample.Shown.Until && sample.Shown.From <= fault.Ended + longest);
        return sample.Shown.From - (isCalm ? Tick + Reading : longest);
    }

    /// <summary>The latest reading that began by <paramref name="since"/>, or null if it failed. If it succeeded, the API may have read the table after it,
    /// before the first reading that failed.</summary>
    private static DepthReading? LastBeforeSilence(DepthReading[] table, DateTime since) =>
        table.Where(reading => reading.From <= since).MaxBy(reading => reading.From) is { Queues: not null } last ? last : null;

    private static long In(DepthReading reading, string queue, Func<QueueDepth, long?> of) => reading.Queues!.FirstOrDefault(depth => depth.Queue == queue) is { } found ? of(found) ?? 0 : 0;

    /// <summary>How many jobs of each kind there were in each queue, from the first one on.</summary>
    private static Dictionary<(string Queue, string Kind), Course> CourseOf(Evidence evidence) =>
        (from trail in evidence.Trails
         where trail.Row is not null
         from kind in Kinds
         from move in trail.Moves
         let came = kind.States.Contains(move.State)
         where came != (move.OldState is { } old && kind.States.Contains(old))
         group (move.At, By: came ? 1 : -1, move.Transaction) by (trail.Row!.Queue, kind.Name))
        .ToDictionary(moves => moves.Key, moves => new Course([.. moves.OrderBy(move => move.At)]));

    private sealed class Course
    {
        private readonly (DateTime At, int By, long Transaction)[] moves;
        private readonly DateTime[] times;
        private readonly long[] after;

        public Course((DateTime At, int By, long Transaction)[] moves)
        {
            this.moves = moves;
            times = [.. moves.Select(move => move.At)];
            after = new long[moves.Length];
            var jobs = 0L;
            for (var i = 0; i < moves.Length; i++)
            {
                after[i] = jobs += moves[i].By;
            }
        }

        /// <summary>All numbers that there were in a stretch of time, and the most moves of one statement in it.</summary>
        public (List<long> Had, int Largest) Between(DateTime since, DateTime until)
        {
            var first = Array.FindIndex(times, at => at >= since) is >= 0 and var found ? found : times.Length;
            var last = Array.FindLastIndex(times, at => at <= until);
            var within = moves.AsSpan(first, Math.Max(0, last - first + 1)).ToArray();
            return (
                [first > 0 ? after[first - 1] : 0, .. after.AsSpan(first, within.Length)],
                within.Length > 0 ? within.CountBy(move => move.Transaction).Max(statement => statement.Value) : 0);
        }
    }
}
