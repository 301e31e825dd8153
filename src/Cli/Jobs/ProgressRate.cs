using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Jobs;

/// <summary>Turns a job's progress into figures with a rate, measured over the last seconds of one run.</summary>
internal sealed class ProgressRate
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(5);

    private readonly Queue<(DateTime At, long Done)> _seen = new();
    private DateTime? _run;

    /// <summary><c>431,000 of 1,000,000, 152,000/s, worker-1</c>.</summary>
    public string Describe(JobSnapshot now)
    {
        if (now.Job.Progress is not { } progress) return now.Current?.Worker ?? "";
        if (_run != now.Job.StartedAt) _seen.Clear(); // another run: what lay between them is no rate
        _run = now.Job.StartedAt;

        var at = DateTime.UtcNow;
        _seen.Enqueue((at, progress.Done));
        while (_seen.Count > 2 && at - _seen.Peek().At > Window) _seen.Dequeue();

        var (firstAt, firstDone) = _seen.Peek();
        var seconds = (at - firstAt).TotalSeconds;
        var figures = progress.Total is { } total ? $"{Print.Number(progress.Done)} of {Print.Number(total)}" : Print.Number(progress.Done);
        return string.Join(", ", new[]
        {
            figures,
            seconds > 0.5 && progress.Done > firstDone ? $"{Print.Number((long)((progress.Done - firstDone) / seconds))}/s" : null,
            progress.Message,
            now.Current?.Worker,
        }.Where(part => !string.IsNullOrEmpty(part)));
    }
}
