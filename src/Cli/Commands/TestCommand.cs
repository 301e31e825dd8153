using System.Collections.Concurrent;
using System.CommandLine;
using QueueScale.Cli.Terminal;
using QueueScale.Cli.Testing;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>test</c>: all tests of this checkout, with the servers they need.</summary>
internal static class TestCommand
{
    // For this few projects, compiling ahead costs more time than it saves.
    private const int FewProjects = 3;

    public static Command Create()
    {
        var only = new Option<string[]>("--only") { Description = "Only the projects with this in their name; may be repeated.", HelpName = "PROJECT" };
        var changed = new Option<string?>("--changed")
        {
            Description = "Only the projects that changes since a commit can affect, fewest dependencies first. Default: since the merge base with the upstream branch.",
            HelpName = "COMMIT",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var seed = new Option<int?>("--seed") { Description = "The same seed runs the tests in the same order. Default 1.", HelpName = "N" };
        seed.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() < 0) result.AddError("--seed must be 0 or more.");
        });
        var timings = new Option<bool>("--timings") { Description = "Print at the end how long each project took, and the slowest fixtures and tests." };
        var rest = new Argument<string[]>("ARGUMENTS")
        {
            Description = """For the test programs, after --: for example  -- -method "*checkpoint*"  or  -- -class "*.Claims". """,
            Arity = ArgumentArity.ZeroOrMore,
        };

        var command = new Command("test", "Start private servers and run all tests. Exit code 1 when one fails.") { only, changed, seed, timings, rest };
        command.SetAction(async (parsed, stop) =>
        {
            var chosen = Named(parsed.GetValue(only) ?? []);
            if (parsed.GetResult(changed) is not null)
            {
                var changes = await Changes.SinceAsync(parsed.GetValue(changed), stop);
                chosen = changes.Affect(chosen);
                Console.Out.WriteLine($"Changed files: {changes.Count}. Affected: {(chosen.Count == 0 ? "no tests" : string.Join(", ", chosen.Select(project => project.Title)))}");
                if (chosen.Count == 0) return 0;
            }

            return await RunAsync(chosen, parsed.GetValue(seed) ?? 1, parsed.GetValue(timings), parsed.GetValue(rest) ?? [], stop);
        });
        return command;
    }

    private static IReadOnlyList<TestProject> Named(string[] only)
    {
        var all = TestProject.All();
        TestProject[] named = [.. all.Where(project => only.Length == 0 || only.Any(project.IsNamed))];
        return named.Length > 0 ? named : throw new UsageProblem($"No test project is named so. There are: {string.Join(", ", all.Select(project => project.Title))}");
    }

    private static async Task<int> RunAsync(IReadOnlyList<TestProject> chosen, int seed, bool showTimings, string[] arguments, CancellationToken stop)
    {
        // Most tests wait more than they work, so two projects go side by side, each on servers of its own that it may break.
        string[] places = chosen.Count(project => !project.RunsAlone) > 1 ? ["one", "other"] : ["one"];
        RunFolder[] folders = [.. places.Select(RunFolder.OfTests.Below)];
        var timings = new Timings();
        var tell = Print.Steps(json: false);
        Console.Out.WriteLine($"The order of the tests comes from --seed {seed}");
        var servers = new List<TestServers>();
        TestCount count;
        try
        {
            var publishing = chosen.Count > FewProjects ? HostPrograms.PublishAsync(tell, stop) : Task.FromResult<string?>(null);
            servers.Add(await TestServers.StartAsync(folders[0], tell, stop)); // first, because it may install programs
            var programs = await publishing;
            var besides = new ConcurrentQueue<TestProject>(chosen.Where(project => !project.RunsAlone));
            var alone = new ConcurrentQueue<TestProject>(chosen.Where(project => project.RunsAlone));
            var counts = await Task.WhenAll(folders.Select(async folder =>
            {
                if (folder != folders[0]) servers.Add(await TestServers.StartAsync(folder, tell, stop));
                return await RunAsync(besides, folder);
            }));
            count = counts.Aggregate(await RunAsync(alone, folders[0]), (all, one) => all + one);

            async Task<TestCount> RunAsync(ConcurrentQueue<TestProject> waiting, RunFolder folder)
            {
                var sum = TestCount.None;
                while (waiting.TryDequeue(out var project))
                {
                    sum += await new TestProcess(project, folder, [.. folders.Where(other => other != folder)], programs, seed, timings).RunAsync(arguments, stop);
                }
                return sum;
            }
        }
        finally
        {
            foreach (var own in servers) await own.DisposeAsync();
        }

        Console.Out.WriteLine();
        if (showTimings)
        {
            timings.Print(Console.Out);
            Console.Out.WriteLine();
        }
        foreach (var failure in count.Failures) failure.Print(Console.Out); // where a reader looks first
        if (count.Failed > 0) Console.Out.WriteLine($"All logs are kept until the next test run: {RunFolder.OfTests}");
        if (count.Skipped > 0) Console.Out.WriteLine($"{count.Skipped} skipped");
        Console.Out.WriteLine($"{count.Passed} passed, {count.Failed} failed");
        return count.Failed == 0 ? 0 : 1;
    }
}
