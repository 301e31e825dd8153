namespace QueueScale.Faults.Checker;

/// <summary>C10: the age of the oldest ready job that an API or a worker shows is one that the table had a moment ago.</summary>
/// <remarks>Whoever is queued gets the present time, so the time of the oldest one never goes back. The shown age, taken from any moment since the one that
/// <see cref="DepthIsTrue.Since"/> allows, must reach a time between that of the table's look before and that of its look after; without a ready job a look
/// stands for its own time. Give or take the time between a statement's clock and its commit.</remarks>
internal static class OldestIsTrue
{
    private static readonly TimeSpan Commit = TimeSpan.FromSeconds(0.5);

    public static IEnumerable<Break> Check(Evidence evidence)
    {
        var samples = evidence.History.Depth;
        var looks = samples.SelectMany(sample => new[] { sample.Before, sample.After }).Where(look => look.Queues is not null).Distinct().OrderBy(look => look.From).ToArray();
        var wrong = new List<(string Who, string What, double By)>();
        foreach (var sample in samples.Where(sample => sample.Shown.Queues is not null))
        {
            var since = DepthIsTrue.Since(evidence, sample);
            var before = looks.LastOrDefault(look => look.Until < since);
            var after = looks.FirstOrDefault(look => look.From >= sample.Shown.Until);
            if (before is null || after is null)
            {
                continue; // nothing to compare with
            }

            var wait = sample.Shown.Until - since;
            foreach (var shown in sample.Shown.Queues!.Where(queue => queue.OldestSeconds is not null))
            {
                var age = TimeSpan.FromSeconds(shown.OldestSeconds!.Value);
                var (least, most) = (Of(before, shown.Queue, before.From) - Commit, Of(after, shown.Queue, after.Until) + Commit);
                var (from, until) = (since - age, sample.Shown.Until - age);
                var by = Math.Max((least - until).TotalSeconds, (from - most).TotalSeconds);
                if (by > 0)
                {
                    wrong.Add((sample.Who, $"{shown.OldestSeconds:0.0} s at {sample.Shown.From:HH:mm:ss.f} (read within {wait.TotalSeconds:0.0} s), and it had been queued between {least:HH:mm:ss.f} and {most:HH:mm:ss.f}", by));
                }
            }
        }

        return wrong.GroupBy(found => found.Who).Select(one => new Break($"{one.Key} showed a wrong age of the oldest ready job {one.Count()} times: {one.MaxBy(found => found.By).What}."));
    }

    private static DateTime Of(DepthReading look, string queue, DateTime none) => look.Queues!.FirstOrDefault(depth => depth.Queue == queue)?.OldestAt ?? none;
}
