using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using QueueScale.Cli.Scaling;
using QueueScale.Cli.Terminal;
using QueueScale.Client;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>up</c>: a whole system on this machine.</summary>
internal static class UpCommand
{
    private const int MostWorkers = 64;
    private const string Auto = "auto";

    public static Command Create()
    {
        var workers = new Option<string?>("--workers")
        {
            Description = $"Worker processes. More than run now are added, fewer are stopped. Default: as before, 2 at first. {Auto}: as many as the backlog asks for, by the ScaledObjects of k8s.",
            HelpName = $"N|{Auto}",
        };
        workers.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != Auto && (!int.TryParse(token.Value, out var number) || number is < 0 or > MostWorkers))
            {
                result.AddError($"--workers must be a number from 0 to {MostWorkers}, or {Auto}.");
            }
        });
        var scaledObjects = new Option<FileInfo[]>("--scaled-object") { Description = $"With --workers {Auto}: the ScaledObjects to follow. Default: those of k8s/components/autoscaling.", HelpName = "FILE" };
        var services = new Option<ServerPlace>("--services") { Description = "Where PostgreSQL, RabbitMQ and Redis run. auto: as installed programs, else in Docker, else installed with apt-get.", HelpName = "auto|docker|local" };
        var detach = new Option<bool>("--detach") { Description = "Return when all is ready and leave it running; `down` ends it." };
        var json = Print.JsonOption();

        var command = new Command("up", "Start PostgreSQL, RabbitMQ, Redis, the API and workers on this machine, privately. Starts what is missing where some of it runs.") { workers, scaledObjects, services, detach, json };
        command.SetAction((parsed, stop) =>
        {
            var auto = parsed.GetValue(workers) == Auto;
            if (auto && parsed.GetValue(detach)) throw new UsageProblem($"--workers {Auto} watches the backlog, so it stays in the foreground: leave --detach out.");
            ScaledObject[] scaled = auto ? [.. (parsed.GetValue(scaledObjects) is { Length: > 0 } named ? named.Select(file => file.FullName) : OfKubernetes()).Select(ScaledObject.Read)] : [];
            return RunAsync(auto ? 0 : parsed.GetValue(workers) is { } number ? int.Parse(number, CultureInfo.InvariantCulture) : null, scaled, parsed.GetValue(services), parsed.GetValue(detach), parsed.GetValue(json), stop);
        });
        return command;
    }

    private static IEnumerable<string> OfKubernetes() => Directory.EnumerateFiles(Path.Combine(Checkout.Root, "k8s", "components", "autoscaling"), "worker-*.yaml").Order(StringComparer.Ordinal);

    private static async Task<int> RunAsync(int? workers, IReadOnlyList<ScaledObject> scaled, ServerPlace place, bool detach, bool json, CancellationToken stop)
    {
        var system = new LocalSystem(RunFolder.OfCheckout);
        var tell = Print.Steps(json);
        try
        {
            var clock = Stopwatch.StartNew();
            var info = await system.UpAsync(workers, tell, place, stop);
            if (json) Print.Json(info);
            else PrintNextSteps(info, system, clock.Elapsed, detach);
            if (detach) return 0;

            await (scaled.Count > 0 ? ScaleAsync(system, info, scaled, tell, stop) : WatchAsync(system, tell, stop));
        }
        catch (LocalProblem problem) when (system.RunningNames().Count > 0 && (detach || !stop.IsCancellationRequested))
        {
            throw new LocalProblem($"{problem.Message}\nWhat has been started is left running, to be looked at. ./queuescale down ends it.", problem);
        }
        catch (OperationCanceledException) when (detach)
        {
            tell("interrupted", "what has been started is left running; ./queuescale down ends it");
            throw;
        }
        catch (Exception error) when (stop.IsCancellationRequested && !detach && (error is OperationCanceledException or LocalProblem))
        {
            // Ctrl-C or SIGTERM in the foreground means down.
        }
        if (stop.IsCancellationRequested) tell("stopping", "the workers put their jobs back first");
        await system.DownAsync(wipe: false, tell, CancellationToken.None); // `stop` has fired
        return 0;
    }

    private static void PrintNextSteps(SystemInfo info, LocalSystem system, TimeSpan took, bool detach)
    {
        Console.Out.WriteLine();
        Console.Out.WriteLine($"Up in {took.TotalSeconds:0.0} s. The API is {info.Api}, its key {info.Key}");
        Console.Out.WriteLine($"RabbitMQ's page {system.Servers.Rabbit.Management} (user {RabbitServer.User}, password {system.Servers.Rabbit.Password}); logs in {system.Folder.Logs}");
        Console.Out.WriteLine("""Try: ./queuescale submit probe.sleep --input '{"seconds": 5, "steps": 50}' --wait""");
        Console.Out.WriteLine(detach ? "It goes on running. ./queuescale down ends it." : "Ctrl-C ends it.");
    }

    private static async Task ScaleAsync(LocalSystem system, SystemInfo info, IReadOnlyList<ScaledObject> scaled, Tell tell, CancellationToken stop)
    {
        tell("scaling", $"{string.Join(" and ", scaled.Select(one => one.Target))} by backlog. This stands in for KEDA on one machine, to watch and to test with; in production KEDA does it");
        using var client = new QueueScaleClient(new Uri(info.Api), info.Key);
        await Task.WhenAll(scaled.Select(one => new AutoscalingWorkers(system, client, one, tell).RunAsync(stop)));
    }

    // Tells when something ends, until we are stopped or everything has ended.
    private static async Task WatchAsync(LocalSystem system, Tell tell, CancellationToken stop)
    {
        var before = system.RunningNames();
        while (before.Count > 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), stop);
            var now = system.RunningNames();
            foreach (var gone in before.Except(now)) tell(gone, $"has ended; ./queuescale up in another terminal starts what is missing. Logs: {system.Folder.Logs}");
            before = now;
        }
        tell("down", "everything has ended");
    }
}
