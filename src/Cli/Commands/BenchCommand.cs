using System.CommandLine;
using QueueScale.Cli.Terminal;

namespace QueueScale.Cli.Commands;

/// <summary><c>bench</c>: the figures of docs/benchmarks.md, on this machine.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var only = new Option<string?>("--only") { Description = "Some of: start, submit, drain, latency, import, handover.", HelpName = "NAME,…" };
        var json = Print.JsonOption();
        var command = new Command("bench", "Measure speed and hand-overs on private servers of its own. Takes about 6 minutes.") { only, json };
        command.SetAction((parsed, _) => CheckoutProgram.RunAsync("QueueScale.Bench",
            [.. parsed.GetValue(only) is { } names ? (string[])["--only", names] : [], .. parsed.GetValue(json) ? (string[])["--json"] : []]));
        return command;
    }
}
