using System.CommandLine;
using System.Globalization;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>faults</c>: breaks a system of its own on purpose, and judges what became of every job.</summary>
internal static class FaultsCommand
{
    public static Command Create()
    {
        var lane = new Option<string>("--lane") { Description = "short: one fault after the other, about 4 minutes. long: up to three at once, by chance. figures: what is promised, measured, about 40 minutes.", DefaultValueFactory = _ => "short" };
        lane.AcceptOnlyFromAmong("short", "long", "figures");
        var minutes = new Option<double>("--minutes") { Description = "How long the long lane strikes.", DefaultValueFactory = _ => 30 };
        var seed = new Option<int?>("--seed") { Description = "The same seed makes the same choices." };
        var backlog = new Option<int>("--backlog") { Description = "Jobs that wait all the while in a queue that nobody serves, such as 1000000.", HelpName = "N" };
        var only = new Option<string?>("--only") { Description = "Some faults, such as F5,F6, or some figures; docs/reliability.md names them.", HelpName = "F1,…" };
        var json = Print.JsonOption();
        var command = new Command("faults", "Break a system of its own on purpose, and judge what became of every job. Exit code 1 when a promise was broken.") { lane, minutes, seed, backlog, only, json };
        command.SetAction((parsed, _) => CheckoutProgram.RunAsync("QueueScale.Faults",
        [
            "--lane", parsed.GetValue(lane)!,
            "--minutes", parsed.GetValue(minutes).ToString(CultureInfo.InvariantCulture),
            .. parsed.GetValue(seed) is { } number ? (string[])["--seed", number.ToString(CultureInfo.InvariantCulture)] : [],
            "--backlog", parsed.GetValue(backlog).ToString(CultureInfo.InvariantCulture),
            .. parsed.GetValue(only) is { } some ? (string[])["--only", some] : [],
            .. parsed.GetValue(json) ? (string[])["--json"] : [],
        ]));
        return command;
    }
}
