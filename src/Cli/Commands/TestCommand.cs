using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Cli.Testing;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>test</c>: all tests of this checkout, with the servers they need.</summary>
internal static class TestCommand
{
    public static Command Create()
    {
        var only = new Option<string[]>("--only") { Description = "Only the projects with this in their name; may be repeated.", HelpName = "PROJECT" };
        var rest = new Argument<string[]>("ARGUMENTS")
        {
            Description = """For the test programs, after --: for example  -- -method "*checkpoint*"  or  -- -class "*.Claims". """,
            Arity = ArgumentArity.ZeroOrMore,
        };

        var command = new Command("test", "Start private servers and run all tests. Exit code 1 when one fails.") { only, rest };
        command.SetAction((parsed, stop) => RunAsync(parsed.GetValue(only) ?? [], parsed.GetValue(rest) ?? [], stop));
        return command;
    }

    private static async Task<int> RunAsync(string[] only, string[] arguments, CancellationToken stop)
    {
        var all = TestProject.All();
        TestProject[] chosen = [.. all.Where(project => only.Length == 0 || only.Any(project.IsNamed))];
        if (chosen.Length == 0) throw new UsageProblem($"No test project is named so. There are: {string.Join(", ", all.Select(project => project.Title))}");

        var folder = RunFolder.OfCheckout.Below("tests");
        var count = new TestCount();
        await using (await TestServers.StartAsync(folder, Print.Steps(json: false), stop))
        {
            foreach (var project in chosen) count += await new TestProcess(project, folder).RunAsync(arguments, stop);
        }

        Console.Out.WriteLine();
        if (count.Skipped > 0) Console.Out.WriteLine($"{count.Skipped} skipped");
        Console.Out.WriteLine($"{count.Passed} passed, {count.Failed} failed");
        return count.Failed == 0 ? 0 : 1;
    }
}
