using System.CommandLine;
using System.Runtime.InteropServices;
using QueueScale.Client;
using QueueScale.Local;

namespace QueueScale.Cli;

/// <summary>Runs one command. Exit codes: 0 done, 1 it failed or the job did, 2 used wrongly, 130 interrupted.</summary>
internal static class CommandLine
{
    private const int Failed = 1;
    private const int UsedWrongly = 2;
    private const int Interrupted = 130;

    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        root.HelpName = "queuescale";
        var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null }); // `--input @file` is ours
        if (parsed.Errors.Count > 0 && args.Length > 0)
        {
            foreach (var error in parsed.Errors) Console.Error.WriteLine(error.Message);
            var command = "";
            for (var of = parsed.CommandResult; of is { Command: not RootCommand }; of = of.Parent as System.CommandLine.Parsing.CommandResult) command = $" {of.Command.Name}{command}";
            Console.Error.WriteLine($"See: ./queuescale{command} --help");
            return UsedWrongly;
        }
        if (args.Length == 0) parsed = root.Parse(["--help"]);

        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token);
        }
        catch (UsageProblem problem)
        {
            Console.Error.WriteLine(problem.Message);
            return UsedWrongly;
        }
        catch (Exception problem) when (problem is LocalProblem or QueueScaleException)
        {
            return Refuse(problem.Message);
        }
        catch (HttpRequestException problem)
        {
            return Refuse($"The API does not answer: {problem.Message} Is it running? ./queuescale up starts one.");
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Interrupted;
        }
        catch (Exception problem) when (Environment.GetEnvironmentVariable("QUEUESCALE_DEBUG") != "1")
        {
            return Refuse($"This should not happen: {problem.GetType().Name}: {problem.Message}\nRun it again with QUEUESCALE_DEBUG=1 to see where, and report it.");
        }

        // The first signal asks the command to end; a second one ends it at once. What it started is found again by the next `up` or `down`.
        void Stop(PosixSignalContext context)
        {
            if (stop.IsCancellationRequested) return;
            context.Cancel = true;
            stop.Cancel();
        }
    }

    public static int Refuse(string why)
    {
        Console.Error.WriteLine(why);
        return Failed;
    }
}

/// <summary>The command was used wrongly; the message says how to use it.</summary>
internal sealed class UsageProblem(string message) : Exception(message);
