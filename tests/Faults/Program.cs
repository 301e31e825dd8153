using System.CommandLine;
using System.Text.Json;
using QueueScale.Faults;

var lane = new Option<string>("--lane") { Description = "short: one fault after the other, about 4 minutes. long: up to three at once, by chance. figures: what is promised, measured, about 40 minutes.", DefaultValueFactory = _ => "short" };
lane.AcceptOnlyFromAmong("short", "long", "figures");
var minutes = new Option<double>("--minutes") { Description = "How long the long lane strikes.", DefaultValueFactory = _ => 30 };
var seed = new Option<int>("--seed") { Description = "The same seed makes the same choices.", DefaultValueFactory = _ => Environment.TickCount & 0xffff };
var backlog = new Option<int>("--backlog") { Description = "Jobs that wait all the while in a queue that nobody serves, such as 1000000; not for figures.", HelpName = "N" };
var only = new Option<string?>("--only") { Description = "Some faults, such as F5,F6; or some figures.", HelpName = "F1,…" };
var json = new Option<bool>("--json") { Description = "Print a last line for programs." };
var command = new RootCommand("Break QueueScale on purpose, on servers of its own, and judge what became of every job.") { lane, minutes, seed, backlog, only, json };
command.SetAction(async (parsed, stop) =>
{
    var run = RunAsync(parsed);
    await Task.WhenAny(run, Task.Delay(Timeout.Infinite, stop));
    if (run.IsCompleted)
    {
        return await run;
    }

    await RunFolderEnd.KillAllAsync(Lanes.Folder); // Ctrl-C: nothing of ours stays
    return 130;
});
return await command.Parse(args).InvokeAsync();

async Task<int> RunAsync(ParseResult parsed)
{
    var toStandardError = parsed.GetValue(json);
    var began = TimeProvider.System.GetTimestamp();
    Tell tell = (what, text) => (toStandardError ? Console.Error : Console.Out).WriteLine($"{TimeProvider.System.GetElapsedTime(began):mm\\:ss}  {what,-16} {text}");
    var some = parsed.GetValue(only)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
    var figures = parsed.GetValue(lane) == "figures";
    var names = figures ? Measurement.All.Select(measurement => measurement.Name) : Strikes.All.Select(strike => strike.Fault).Distinct();
    if (some.FirstOrDefault(one => !names.Contains(one, StringComparer.OrdinalIgnoreCase)) is { } unknown)
    {
        Console.Error.WriteLine($"--only: {unknown} is none of {string.Join(", ", names)}.");
        return 2;
    }

    var number = parsed.GetValue(seed);
    tell("seed", $"{number}");
    try
    {
        if (figures)
        {
            var measured = await Lanes.FiguresAsync(some, tell);
            if (toStandardError)
            {
                Console.WriteLine(JsonSerializer.Serialize(measured, JsonSerializerOptions.Web));
            }

            return measured.All(figure => figure.Met) ? 0 : 1;
        }

        var outcome = parsed.GetValue(lane) == "long"
            ? await Lanes.LongAsync(number, TimeSpan.FromMinutes(parsed.GetValue(minutes)), some, tell, parsed.GetValue(backlog))
            : await Lanes.ShortAsync(number, some, tell, parsed.GetValue(backlog));
        if (toStandardError)
        {
            Report.PrintJson(outcome);
        }
        else
        {
            Report.Print(outcome);
        }

        return outcome.Passed ? 0 : 1;
    }
    catch (LocalProblem problem)
    {
        Console.Error.WriteLine(problem.Message);
        return 2;
    }
}
