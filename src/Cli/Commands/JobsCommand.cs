using System.CommandLine;
using System.Text.RegularExpressions;
using QueueScale.Cli.Jobs;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Contracts;

namespace QueueScale.Cli.Commands;

/// <summary><c>jobs</c>: lists jobs.</summary>
internal static class JobsCommand
{
    public static Command Create()
    {
        var filter = new FilterOptions();
        var limit = new Option<int>("--limit") { Description = "How many at most. Default 20.", HelpName = "N", DefaultValueFactory = _ => 20 };
        var json = Print.JsonOption();
        var target = new ApiTarget();

        var command = new Command("jobs", "List jobs.") { limit, json };
        filter.AddTo(command);
        target.AddTo(command);
        command.SetAction(async (parsed, stop) =>
        {
            using var client = target.Connect(parsed);
            var most = parsed.GetRequiredValue(limit);
            var page = await client.GetJobsAsync((filter.Read(parsed) ?? new JobFilter()) with { Limit = most }, stop);
            while (page.Items.Count < most && await client.GetNextAsync(page, stop) is { } next) // a page may be short although others follow
            {
                Job[] items = [.. page.Items, .. next.Items.Take(most - page.Items.Count)];
                page = items.Length < page.Items.Count + next.Items.Count ? new(items, Regex.Replace(page.Next!, "after=[^&]*", $"after={items[^1].Id}")) : next with { Items = items };
            }
            if (parsed.GetValue(json)) Print.Json(page);
            else PrintPage(page);
            return 0;
        });
        return command;
    }

    private static void PrintPage(Page<Job> page)
    {
        if (page.Items.Count == 0)
        {
            Console.Out.WriteLine("No jobs.");
            return;
        }
        Print.Table(
            ["ID", "TYPE", "QUEUE", "STATE", "PROGRESS", "ATTEMPT", "AGE"],
            page.Items.Select(job => new[]
            {
                job.Id.ToString(), job.Type, job.Queue, Print.Word(job.State), JobText.Progress(job), $"{job.Attempt} of {job.MaxAttempts}", Print.Short(DateTime.UtcNow - job.CreatedAt),
            }));
        if (page.Next is not null) Console.Out.WriteLine("… and more: raise --limit, or narrow it with --state, --type, --queue or --tag.");
    }
}
