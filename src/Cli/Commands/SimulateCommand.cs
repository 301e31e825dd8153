using System.CommandLine;
using System.Globalization;
using QueueScale.Cli.Simulating;
using QueueScale.Cli.Terminal;
using QueueScale.Local;

namespace QueueScale.Cli.Commands;

/// <summary><c>simulate</c>: what a trace of arrivals would do to a queue and its workers.</summary>
internal static class SimulateCommand
{
    /// <summary>Worker:Slots where nobody sets it.</summary>
    private const int UsualSlots = 32;

    /// <summary>As a worker needs on the machine of docs/benchmarks.md, "Worker ready".</summary>
    private const double UsualStartUp = 1.5;

    private const double UsualTargetDrain = 60;
    private const int MostRows = 25;

    /// <summary>Distances between two rows, in seconds.</summary>
    private static readonly int[] Steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600];

    public static Command Create()
    {
        var trace = new Argument<string>("TRACE.csv") { Description = "The arrivals: columns at (seconds from the start), jobs (default 1) and seconds (how long one of them runs)." };
        var service = Number<double?>("--service-time", 0.0001, 1_000_000, "How long a job runs; needed where the trace has no seconds.", "SECONDS");
        var startUp = Number<double?>("--start-up", 0, 86_400, $"From the decision that a worker shall come to its first job. Default {UsualStartUp}.", "SECONDS");
        var slots = Number<int?>("--slots", 1, 1024, "Runs at once in one worker. Default: the target of a ScaledObject on the backlog, as with up --workers auto, else 32.", "N");
        var scaledObject = new Option<string?>("--scaled-object") { Description = "The ScaledObject to follow. Default: worker-default of k8s/components/autoscaling.", HelpName = "FILE" };
        var workers = Number<int?>("--workers", 0, 1000, "Workers at the start. Default: as few as the ScaledObject allows.", "N");
        var targetDrain = Number<double?>("--target-drain", 1, 86_400, $"Api:TargetDrainTime. Default {UsualTargetDrain}.", "SECONDS");
        var svg = new Option<string?>("--svg") { Description = "Also draw it into this file.", HelpName = "FILE" };
        var recorded = new Option<string?>("--recorded") { Description = "A measured run to compare with: columns at, age and, if need be, workers.", HelpName = "RUN.csv" };
        var calibrate = new Option<bool>("--calibrate") { Description = "Find the service time and the start-up delay, where they are not given, that fit the recorded run best, and simulate with them." };
        var json = Print.JsonOption();

        var command = new Command("simulate", "Predict backlog, age and workers from a trace of arrivals, without running anything.")
        {
            trace, service, startUp, slots, scaledObject, workers, targetDrain, svg, recorded, calibrate, json,
        };
        command.SetAction((parsed, stop) =>
        {
            var file = parsed.GetRequiredValue(trace);
            var arrivals = Arrival.ReadAll(file);
            var run = parsed.GetValue(recorded) is { } name ? RecordedRun.Read(name) : null;
            var scaled = ScaledObject.Read(parsed.GetValue(scaledObject) ?? Path.Combine(Checkout.Root, "k8s", "components", "autoscaling", "worker-default.yaml"));
            var system = new SimulatedSystem(
                scaled, parsed.GetValue(slots) ?? scaled.Slots ?? UsualSlots, parsed.GetValue(workers) ?? scaled.MinReplicas, TimeSpan.FromSeconds(parsed.GetValue(service) ?? 0),
                TimeSpan.FromSeconds(parsed.GetValue(startUp) ?? UsualStartUp), TimeSpan.FromSeconds(parsed.GetValue(targetDrain) ?? UsualTargetDrain));
            var isServiceNeeded = arrivals.Any(arrival => arrival.Service is null);
            if (parsed.GetValue(calibrate))
            {
                if (run is null) throw new UsageProblem("--calibrate fits a recorded run: name it with --recorded.");
                system = Calibration.Find(arrivals, system, isServiceNeeded ? parsed.GetValue(service) : 0, parsed.GetValue(startUp), run, stop);
            }
            else if (isServiceNeeded && parsed.GetValue(service) is null)
            {
                throw new UsageProblem($"--service-time is needed: {file} has jobs without seconds.");
            }

            var prediction = Simulation.Predict(arrivals, system, stop: stop);
            var difference = run?.DifferenceOf(prediction.Points);
            var (serviceSeconds, startUpSeconds) = (isServiceNeeded ? system.Service.TotalSeconds : (double?)null, system.StartUp.TotalSeconds);
            if (parsed.GetValue(svg) is { } picture) Write(picture, Charts.Draw(prediction, run));
            if (parsed.GetValue(json)) Print.Json(new { serviceSeconds, startUpSeconds, system.Slots, TargetDrainSeconds = system.TargetDrain.TotalSeconds, difference, prediction.Summary, prediction.Points });
            else PrintText(prediction, system, difference, parsed.GetValue(calibrate) ? Found(prediction, system, isServiceNeeded) : null);
            return Task.FromResult(0);
        });
        return command;
    }

    private static Option<T> Number<T>(string name, double least, double most, string description, string helpName)
    {
        var option = new Option<T>(name) { Description = description, HelpName = helpName };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !(double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most))
            {
                result.AddError($"{name} must be a number from {least} to {most}.");
            }
        });
        return option;
    }

    private static void PrintText(Prediction prediction, SimulatedSystem system, Difference? difference, string? found)
    {
        Print.Table(
            ["TIME", "ARRIVED", "READY", "RUNNING", "OLDEST", "WORKERS"],
            Steps.Select(step => Rows(prediction.Points, step)).First(rows => rows.Count <= MostRows).Select(point => new[]
            {
                $"{point.At / 3600:00}:{point.At / 60 % 60:00}:{point.At % 60:00}", Print.Number(point.Arrived), Print.Number(point.Ready), Print.Number(point.Running), Seconds(point.OldestSeconds), $"{point.Workers}",
            }));
        Console.Out.WriteLine();

        var summary = prediction.Summary;
        if (found is not null) Line("fits best", found);
        if (difference is not null)
        {
            Line("recorded age", $"differs by {100 * difference.Part:0.0} % of its greatest: {difference.MeanSeconds:0.00} s of {difference.GreatestAgeSeconds:0.0} s, on average");
            if (difference.MeanWorkers is { } workers) Line("recorded workers", $"differ by {workers:0.00}, on average");
        }

        Line("greatest backlog", $"{Print.Number(summary.GreatestBacklog)} jobs, ready and running");
        Line("greatest age", Seconds(summary.GreatestAgeSeconds));
        Line("older than target", $"for {Seconds(summary.SecondsAboveTarget)} above {system.TargetDrain.TotalSeconds:0.#} s");
        Line("done", summary.DoneSeconds is { } done ? $"after {Seconds(done)}" : "never");
        Line("worker-seconds", Print.Number((long)Math.Round(summary.WorkerSeconds)));
        if (summary.Endless is not null) Console.Out.WriteLine(summary.Endless);

        static void Line(string what, string text) => Console.Out.WriteLine($"{what,-18} {text}");
    }

    private static string Found(Prediction prediction, SimulatedSystem system, bool isServiceNeeded) =>
        (isServiceNeeded ? $"--service-time {system.Service.TotalSeconds:0.####} " : "") + $"--start-up {system.StartUp.TotalSeconds:0.##}"
        + (prediction.Points.Any(point => point.Workers > system.Workers) ? "" : ", or any other start-up: no worker came");

    /// <summary>The points at multiples of so many seconds, and the last one, without those at which nothing has changed.</summary>
    private static List<PredictedPoint> Rows(IReadOnlyList<PredictedPoint> points, int step)
    {
        List<PredictedPoint> rows = [points[0]];
        foreach (var point in points.Skip(1))
        {
            if (point.At == points.Count - 1 || (point.At % step == 0 && point with { At = rows[^1].At } != rows[^1])) rows.Add(point);
        }

        return rows;
    }

    private static string Seconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds:#,0.0} s");

    private static void Write(string file, string text)
    {
        try
        {
            File.WriteAllText(file, text);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new LocalProblem($"{file} cannot be written: {error.Message}", error);
        }
    }
}
