using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace QueueScale.Faults;

/// <summary>What a campaign found, for people and for programs.</summary>
internal static class Report
{
    public static void Print(Outcome outcome)
    {
        // Not as narrow as a terminal that nobody looks at.
        AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 150);
        var table = new Table().Border(TableBorder.Simple).AddColumn("fault");
        foreach (var column in (string[])["runs", "jobs", "acked", "lost", "unexpected", "dup. runs", "dup. ends", "late", "p50", "p99", "max"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (var row in outcome.Rows)
        {
            Add(row.Kind, row.Runs, row.Figures, row.Recovery is { } r ? [Seconds(r.P50), Seconds(r.P99), Seconds(r.Max)] : ["", "", ""]);
        }

        Add("all", outcome.Rows.Sum(row => row.Runs), outcome.Verdict.Figures, ["", "", ""]);
        AnsiConsole.Write(table);
        Console.WriteLine($"p50, p99, max: seconds until what a fault had cut went on. late: late writes that were refused, {outcome.Verdict.Figures.LateWritesRefused} in all. Depth shown {outcome.Verdict.Figures.DepthsShown} times, unknown {outcome.Verdict.Figures.DepthsUnknown}; workers called themselves backlogged {outcome.Verdict.Figures.Backlogged} times.");
        if (outcome.LeftOut.Count > 0)
        {
            Console.WriteLine($"Left out: {string.Join("; ", outcome.LeftOut.Select(strike => $"{strike.Key}, {strike.Value} times"))}.");
        }

        foreach (var trouble in outcome.Troubles)
        {
            Console.WriteLine($"TROUBLE  {trouble}");
        }

        foreach (var odd in outcome.Odd.Take(5))
        {
            Console.WriteLine($"ODD      {odd}");
        }

        if (outcome.Odd.Count > 0)
        {
            Console.WriteLine($"{outcome.Odd.Count} answers were neither a 202 nor a 503 with Retry-After.");
        }

        if (!outcome.Verdict.Passed)
        {
            Console.WriteLine(outcome.Verdict.Report(stories: 1));
        }

        Console.WriteLine($"{(outcome.Passed ? "No rule was broken" : "FAILED")}. History: {outcome.Folder}");

        void Add(string kind, int runs, Checker.Figures f, string[] times) => table.AddRow(
            [kind, .. ((int[])[runs, f.Attempted, f.Acked, f.Lost, f.Unexpected, f.DuplicateRuns, f.DuplicateCompletions, f.LateWritesRefused]).Select(n => n.ToString(CultureInfo.InvariantCulture)), .. times]);
    }

    public static void PrintJson(Outcome outcome)
    {
        var figures = outcome.Verdict.Figures;
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            runs = outcome.Rows.Sum(row => row.Runs),
            jobs = figures.Attempted,
            acked = figures.Acked,
            lost = figures.Lost,
            unexpected = figures.Unexpected,
            duplicateRuns = figures.DuplicateRuns,
            duplicateCompletions = figures.DuplicateCompletions,
            lateWritesRefused = figures.LateWritesRefused,
            depthsShown = figures.DepthsShown,
            depthsUnknown = figures.DepthsUnknown,
            rulesBroken = outcome.Verdict.Broken.Select(broken => broken.Rule).Distinct(),
            odd = outcome.Odd.Count,
            leftOut = outcome.LeftOut,
            troubles = outcome.Troubles,
            history = outcome.Folder,
        }));
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.00", CultureInfo.InvariantCulture);
}
