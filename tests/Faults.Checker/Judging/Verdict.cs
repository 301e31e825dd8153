using System.Globalization;
using System.Text;

namespace QueueScale.Faults.Checker;

/// <summary>What the checker makes of a history.</summary>
/// <param name="Figures">What is counted, whether it breaks a rule or not.</param>
/// <param name="Broken">Every rule that was broken, by rule and job; none means that the run passes.</param>
/// <param name="DamagedLines">Ledger lines that could not be read. They break no rule by themselves, but what they said is missing.</param>
public sealed record Verdict(Figures Figures, IReadOnlyList<BrokenRule> Broken, IReadOnlyList<string> DamagedLines)
{
    /// <summary>Whether no rule was broken.</summary>
    public bool Passed => Broken.Count == 0;

    /// <summary>The whole verdict as text.</summary>
    /// <param name="stories">Of how many jobs each broken rule tells the story.</param>
    public string Report(int stories = 3)
    {
        var text = new StringBuilder().AppendLine(CultureInfo.InvariantCulture, $"{(Passed ? "passed" : "FAILED")}: {Figures}");
        foreach (var rule in Broken.GroupBy(broken => broken.Rule))
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{rule.Key} is broken {rule.Count()} times.");
            foreach (var job in rule.GroupBy(broken => broken.Job).Take(stories))
            {
                text.AppendJoin("", job.Select(broken => $"{broken.Rule}: {broken.What}\n")).Append(job.First().Story);
            }
        }

        foreach (var line in DamagedLines)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"unreadable ledger line {line}");
        }

        return text.ToString();
    }
}

/// <summary>A rule that was broken.</summary>
public sealed class BrokenRule
{
    private readonly Func<string> tell;

    internal BrokenRule(string rule, Break found, IReadOnlyList<Fault> faults)
    {
        (Rule, Job, What) = (rule, found.Trail?.Job, found.What);
        tell = () => found.Trail is { } trail ? Checker.Story.Of(trail, faults) : "";
    }

    /// <summary>C1 and so on.</summary>
    public string Rule { get; }

    /// <summary>The job, unless the rule is about something else.</summary>
    public Guid? Job { get; }

    /// <summary>A sentence that says what happened.</summary>
    public string What { get; }

    /// <summary>Everything that any source knows of the job, in the order of time; told when it is asked for. Empty without a job.</summary>
    public string Story => tell();

    public override string ToString() => $"{Rule} {Job}: {What}";
}

/// <summary>What a rule finds.</summary>
/// <param name="What">A sentence that says what happened.</param>
/// <param name="Trail">The job, unless it is about something else.</param>
internal readonly record struct Break(string What, JobTrail? Trail = null);
