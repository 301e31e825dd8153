using System.Globalization;
using System.Text.Json.Serialization;

namespace QueueScale.Hosting;

/// <summary>A question to something that the process depends on.</summary>
/// <param name="Name">What is asked, as health answers name it.</param>
/// <param name="AskAsync">Ends when it has answered; throws when something is wrong, also after a while without an answer.</param>
public sealed record DependencyCheck(string Name, Func<Task> AskAsync);

/// <summary>What a check found.</summary>
/// <param name="Status"><c>ok</c> or <c>failed</c>.</param>
/// <param name="Seconds">How long the answer took, or for how long there has been none.</param>
/// <param name="Reason">What is wrong; absent when nothing is.</param>
public sealed record CheckResult(string Status, double Seconds, string? Reason = null)
{
    [JsonIgnore]
    public bool IsOk => Status == "ok";

    public static CheckResult Of(string? reason, TimeSpan took = default) => new(reason is null ? "ok" : "failed", Math.Round(took.TotalSeconds, 4), reason);
}

/// <summary>Asks all dependencies at once, each within a time-out, and no more than once a second however many probes come. Who still owes an answer is not asked
/// again, so a dependency that is silent for long takes up one connection, not one a second.</summary>
public sealed class DependencyChecks(TimeProvider clock, params IReadOnlyList<DependencyCheck> checks)
{
    /// <summary>Who has not answered by then counts as away.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    /// <summary>For so long answers are taken for present.</summary>
    public static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(1);

    private readonly Lock turn = new();
    private readonly IReadOnlyList<Question> questions = [.. checks.Select(check => new Question(check, clock))];
    private Task<IReadOnlyDictionary<string, CheckResult>>? last;
    private long askedAt;

    /// <summary>What they answered; takes no longer than <see cref="Limit"/>.</summary>
    public Task<IReadOnlyDictionary<string, CheckResult>> AskAsync()
    {
        lock (turn)
        {
            if (last is null || (last.IsCompleted && clock.GetElapsedTime(askedAt) >= GoodFor))
            {
                askedAt = clock.GetTimestamp();
                last = AskAllAsync();
            }

            return last;
        }
    }

    private async Task<IReadOnlyDictionary<string, CheckResult>> AskAllAsync()
    {
        var answers = await Task.WhenAll(questions.Select(question => question.AskAsync()));
        return checks.Zip(answers).ToDictionary(pair => pair.First.Name, pair => pair.Second);
    }

    private sealed class Question(DependencyCheck check, TimeProvider clock)
    {
        private Task open = Task.CompletedTask;
        private long since;

        public async Task<CheckResult> AskAsync()
        {
            if (open.IsCompleted)
            {
                since = clock.GetTimestamp();
                open = Task.Run(check.AskAsync);
            }

            string? wrong = null;
            try
            {
                // A cancelled question would not end in time: where packets vanish, telling PostgreSQL takes longer than we may.
                await open.WaitAsync(Limit, clock);
            }
            catch (TimeoutException) when (!open.IsCompleted)
            {
                wrong = string.Create(CultureInfo.InvariantCulture, $"no answer for {clock.GetElapsedTime(since).TotalSeconds:0.0} s");
            }
            catch (Exception error)
            {
                wrong = error.Message;
            }

            return CheckResult.Of(wrong, clock.GetElapsedTime(since));
        }
    }
}
