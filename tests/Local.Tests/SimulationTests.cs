using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using QueueScale.Cli.Simulating;

namespace QueueScale.Local.Tests;

/// <summary>What <c>simulate</c> predicts, against figures worked out by hand.</summary>
public sealed class SimulationTests : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("queuescale-simulate-");

    public void Dispose() => folder.Delete(recursive: true);

    private CommandLineProgram Cli => new(new RunFolder(folder.FullName));

    [Fact]
    public void Jobs_are_taken_one_after_the_other_in_the_order_of_their_arrival()
    {
        var ten = Simulation.Predict([At(0, jobs: 10)], One());
        Assert.Equal([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0], ten.Points.Select(point => point.Ready));
        Assert.Equal([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], ten.Points.Select(point => point.Running));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0], ten.Points.Select(point => point.OldestSeconds));
        Assert.All(ten.Points, point => Assert.Equal((10, 1), (point.Arrived, point.Workers)));
        Assert.Equal(new PredictedSummary(GreatestBacklog: 10, GreatestAgeSeconds: 9, DoneSeconds: 10, WorkerSeconds: 10, SecondsAboveTarget: 4), ten.Summary); // from 5 to 9

        var two = Simulation.Predict([At(0.5, seconds: 2), At(1.25, seconds: 0.25)], One());
        Assert.Equal([0, 0, 0.75, 0], two.Points.Select(point => point.OldestSeconds));
        Assert.Equal((2.75, 1.25), (two.Summary.DoneSeconds, two.Summary.GreatestAgeSeconds));
    }

    [Fact]
    public void As_many_run_at_once_as_the_workers_have_slots()
    {
        var summary = Simulation.Predict([At(0, jobs: 60)], One() with { Slots = 3, Workers = 2, Scaled = Scaled(min: 2) }).Summary;
        Assert.Equal((10, 9, 20), (summary.DoneSeconds, summary.GreatestAgeSeconds, summary.WorkerSeconds));
    }

    [Fact]
    public void The_first_worker_comes_by_the_first_decision_after_the_first_job_and_takes_it_after_its_start_up()
    {
        var scaled = Scaled(min: 0) with { PollingInterval = TimeSpan.FromSeconds(30), CooldownPeriod = TimeSpan.FromSeconds(10) }; // Kubernetes looks every 15
        var none = Simulation.Predict([At(3)], One() with { Workers = 0, Scaled = scaled, StartUp = TimeSpan.FromSeconds(2.5) });
        Assert.Equal((14.5, 18.5), (none.Summary.GreatestAgeSeconds, none.Summary.DoneSeconds));
        Assert.Equal([(16, 0), (17, 0), (18, 1), (44, 1), (45, 0)], new[] { 16, 17, 18, 44, 45 }.Select(at => at < none.Points.Count ? (at, none.Points[at].Workers) : (at, 0)));
        Assert.Equal(45, none.Points[^1].At); // seen without work at 30, so gone at 45
        Assert.Equal(30, none.Summary.WorkerSeconds); // from the decision on
    }

    [Fact]
    public void Workers_come_for_a_backlog_and_go_with_it()
    {
        var three = Simulation.Predict([At(0, jobs: 3, seconds: 10)], One() with { Scaled = Scaled(max: 3), StartUp = TimeSpan.FromSeconds(2) });
        Assert.Equal([1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 1], three.Points.Select(point => point.Workers));
        Assert.Equal([2, 2, 2, 0, 0], three.Points.Take(5).Select(point => point.Ready));
        Assert.Equal((3, 13, 1 + (9 * 3) + (3 * 2)), (three.Summary.GreatestAgeSeconds, three.Summary.DoneSeconds, three.Summary.WorkerSeconds));
    }

    [Fact]
    public void An_autoscaler_with_a_window_has_seen_the_quiet_before_the_start()
    {
        var scaled = Scaled(max: 4) with { PollingInterval = TimeSpan.FromSeconds(15) };
        var burst = Simulation.Predict([At(0, jobs: 100)], One() with { Scaled = scaled with { ScaleUp = scaled.ScaleUp with { StabilizationWindow = TimeSpan.FromSeconds(30) } } });
        Assert.Equal([1, 1, 4], new[] { 15, 29, 30 }.Select(at => burst.Points[at].Workers));
    }

    [Fact]
    public void A_worker_that_goes_hands_its_jobs_over_to_the_front_with_what_is_left_of_them()
    {
        var two = Simulation.Predict([At(0, jobs: 2, seconds: 5), At(0, seconds: 1)], One() with { Workers = 2, Scaled = Scaled(max: 2, target: 10) });
        Assert.Equal([1, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0], two.Points.Select(point => point.Ready)); // the second worker goes at 1
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0], two.Points.Select(point => point.OldestSeconds));
        Assert.Equal((10, 9), (two.Summary.DoneSeconds, two.Summary.GreatestAgeSeconds)); // 5, then the 4 that were left, then 1

        var handedOver = Simulation.Predict([At(0, jobs: 2, seconds: 5)], One() with { Workers = 2, Scaled = Scaled(max: 2, target: 10) });
        Assert.Equal([0, 0, 1, 2, 3], handedOver.Points.Take(5).Select(point => point.OldestSeconds)); // its age begins when it is queued again
    }

    [Theory]
    [InlineData("backlog", 225)]
    [InlineData("ready", 224)]
    [InlineData("running", 1)]
    [InlineData("oldestSeconds", 15)]
    [InlineData("drainSeconds", 448)] // 224 x 2 s / 1 slot
    [InlineData("desiredWorkers", 9)] // (224 x 2 s / 60 s + 1) / 1 slot = 8.47
    public void Any_member_of_a_queues_scale_can_decide(string valueLocation, int workers)
    {
        var scaled = Scaled(max: 1000) with { ValueLocation = valueLocation, PollingInterval = TimeSpan.FromSeconds(15) };
        var system = One() with { Scaled = scaled, Service = TimeSpan.FromSeconds(2), TargetDrain = TimeSpan.FromMinutes(1) };
        Assert.Equal(workers, Simulation.Predict([At(0, jobs: 232)], system, longestSeconds: 15).Points[15].Workers); // 7 have ended
    }

    [Fact]
    public void A_backlog_without_end_is_said_with_both_rates()
    {
        var endless = Simulation.Predict([.. Enumerable.Range(0, 86_401).Select(second => At(second, jobs: 5))], One() with { Slots = 4, Service = TimeSpan.FromSeconds(2), Scaled = Scaled(max: 2) });
        Assert.Equal(86_400, endless.Points[^1].At);
        Assert.Null(endless.Summary.DoneSeconds);
        Assert.StartsWith("The backlog grows without end: 2 workers do 4 jobs/s and the trace brings 5.", endless.Summary.Endless, StringComparison.Ordinal);
        Assert.InRange(endless.Summary.GreatestAgeSeconds, 17_000, 17_400); // a fifth of the day
    }

    [Fact]
    public void The_same_trace_has_the_same_future()
    {
        var one = Simulation.Predict(Waves(), Fleet(0.2, 1.5));
        var other = Simulation.Predict(Waves(), Fleet(0.2, 1.5));
        Assert.Equal(one.Points, other.Points);
        Assert.Equal(one.Summary, other.Summary);
    }

    /// <summary>Two runs of <c>up --workers auto</c> on a machine with two processors: 3,300 and 4,800 jobs of half a second, up to four workers with 16 slots. Age and workers are what /scale answered each second.</summary>
    [Fact]
    public void What_one_recorded_run_has_taught_predicts_another()
    {
        var system = new SimulatedSystem(ScaledObject.Read(Recorded("scaled-object.yaml")), Slots: 16, Workers: 1, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        var learned = Calibration.Find(Arrival.ReadAll(Recorded("first-trace.csv")), system, service: null, startUp: null, RecordedRun.Read(Recorded("first-run.csv")), TestContext.Current.CancellationToken);
        Assert.InRange(OfSecond(learned).Part, 0, 0.2);
        Assert.True(OfSecond(learned with { Service = 1.5 * learned.Service }).Part > 0.2); // a figure that any values would reach says nothing

        static string Recorded(string file) => Path.Combine(Checkout.Root, "tests", "Local.Tests", "Recorded", file);

        static Difference OfSecond(SimulatedSystem system) =>
            RecordedRun.Read(Recorded("second-run.csv")).DifferenceOf(Simulation.Predict(Arrival.ReadAll(Recorded("second-trace.csv")), system).Points);
    }

    [Fact]
    public void A_trace_is_read_in_any_order_of_lines_and_columns()
    {
        Arrival[] expected = [At(0.5), At(2, jobs: 7, seconds: 1.25), At(1e3, jobs: 2)];
        Assert.Equal(expected, Arrival.ReadAll(Write("\uFEFFJobs, at,SECONDS\n2,1e3\n\n7,2,1.25\r\n0,8,1\n,\"0.5\",\n")));
    }

    [Theory]
    [InlineData("at;jobs\n1;2", "line 1: 'at;jobs' is none of the columns at, jobs, seconds.")]
    [InlineData("at,job\n1,2", "line 1: 'job' is none of the columns")]
    [InlineData("jobs\n2", "line 1: there is no column at.")]
    [InlineData("at,jobs\n1,2\n2,many", "line 3, column jobs: 'many' is no number")]
    [InlineData("at\n-1", "line 2, column at: '-1' is no number from 0")]
    [InlineData("at\nNaN", "line 2, column at: 'NaN'")]
    [InlineData("at,jobs\n,2", "line 2, column at: there is no value.")]
    [InlineData("at,jobs\n1,1.5", "line 2, column jobs: 1.5 is no whole number.")]
    [InlineData("at,jobs\n1,5,2", "line 2: 3 values for 2 columns. Write decimals with a point.")]
    [InlineData("at\n1732550000", "line 2, column at: '1732550000' is no number")]
    [InlineData("at\n86401", "line 2, column at: 86401 is beyond a day.")]
    [InlineData("at,seconds\n1,0", "line 2, column seconds: 0 is no service time.")]
    [InlineData("at,jobs\n1,0", "holds no job.")]
    [InlineData("", "line 1: '' is none of the columns")]
    public void What_is_wrong_with_a_trace_is_said_with_its_place(string text, string said)
    {
        var file = Write(text);
        Assert.StartsWith($"{file}{(said[0] == 'l' ? "," : "")} {said}", Assert.Throws<LocalProblem>(() => Arrival.ReadAll(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_wrong_with_a_recorded_run_is_said_with_its_place()
    {
        Assert.Contains("line 2, column age: there is no value.", Problem("at,age\n1,"), StringComparison.Ordinal);
        Assert.Contains("line 2, column at: 86401 is beyond a day.", Problem("at,age\n86401,2"), StringComparison.Ordinal);
        Assert.Contains("never above 0", Problem("at,age\n1,0"), StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<LocalProblem>(() => RecordedRun.Read("/no/such/file")).Message, StringComparison.Ordinal);

        string Problem(string text) => Assert.Throws<LocalProblem>(() => RecordedRun.Read(Write(text))).Message;
    }

    [Fact]
    public void The_difference_is_the_mean_of_what_is_off_as_a_part_of_the_greatest_recorded_age()
    {
        var recorded = RecordedRun.Read(Write("at,age,workers\n2.5,5,1\n1,1,\n100,3,3\n")); // predicted: 2.5, 1, and 0 after the end
        var difference = recorded.DifferenceOf(Simulation.Predict([At(0, jobs: 10)], One()).Points);
        Assert.Equal(new Difference(GreatestAgeSeconds: 5, MeanSeconds: 5.5 / 3, Part: 5.5 / 15, MeanWorkers: 1), difference);
        Assert.Null(new RecordedRun([new(1, 1, null)]).DifferenceOf(Simulation.Predict([At(0)], One()).Points).MeanWorkers);
    }

    [Theory]
    [InlineData(0.2, 1.5, true)]
    [InlineData(0.2, 1.5, false)]
    [InlineData(0.7, 11, true)]
    public void Calibration_finds_the_values_with_which_a_run_was_simulated(double service, double startUp, bool withWorkers)
    {
        var points = Simulation.Predict(Waves(), Fleet(service, startUp)).Points;
        var recorded = new RecordedRun([.. points.Select(point => new RecordedPoint(point.At, point.OldestSeconds, withWorkers ? point.Workers : null))]);
        var found = Calibration.Find(Waves(), Fleet(1, 1), service: null, startUp: null, recorded, CancellationToken.None);
        Assert.InRange(found.Service.TotalSeconds, service * 0.98, service * 1.02);
        Assert.InRange(found.StartUp.TotalSeconds, startUp - 0.5, startUp + 0.5); // ages are a second apart

        var known = Calibration.Find(Waves(), Fleet(1, 1), service: null, startUp, recorded, CancellationToken.None);
        Assert.Equal(startUp, known.StartUp.TotalSeconds);
        Assert.InRange(known.Service.TotalSeconds, service * 0.99, service * 1.01);
    }

    [Fact]
    public void A_million_arrivals_take_seconds()
    {
        var text = new StringBuilder("at,jobs\n");
        for (var job = 0; job < 1_000_000; job++) text.Append(CultureInfo.InvariantCulture, $"{job / 700.0:0.0000},1\n");
        var file = Write(text.ToString());

        var clock = Stopwatch.StartNew();
        var million = Simulation.Predict(Arrival.ReadAll(file), Fleet(0.2, 1.5) with { Slots = 32, Scaled = Scaled(max: 6, target: 32) });
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(1_000_000, million.Points[^1].Arrived);
        Assert.InRange(million.Summary.DoneSeconds!.Value, 1_428, 1_432);
    }

    [Fact]
    public async Task The_command_prints_a_table_and_a_summary_and_draws_them()
    {
        var trace = Write("at,jobs\n0,10\n3,2\n");
        var recorded = Write("at,age,workers\n1,1,1\n2,5,1\n");
        var picture = Path.Combine(folder.FullName, "run <1>.svg");
        string[] arguments = ["simulate", trace, "--service-time", "1", "--slots", "1", "--recorded", recorded, "--svg", picture];

        var lines = (await Cli.OutputAsync(arguments)).Split('\n');
        Assert.Matches("^TIME +ARRIVED +READY +RUNNING +OLDEST +WORKERS$", lines[0]);
        Assert.Matches("^00:00:04 +12 +7 +1 +4.0 s +1$", lines[5]);
        Assert.Contains("recorded age       differs by 30.0 % of its greatest: 1.50 s of 5.0 s, on average", lines);
        Assert.Contains("greatest backlog   10 jobs, ready and running", lines);

        var json = await Cli.JsonAsync([.. arguments, "--json"]);
        Assert.Equal((1, 1.5, 1, 60), (Number(json, "serviceSeconds"), Number(json, "startUpSeconds"), Number(json, "slots"), Number(json, "targetDrainSeconds")));
        Assert.Equal((12, 9, 0.3), (Number(json.GetProperty("summary"), "doneSeconds"), Number(json.GetProperty("summary"), "greatestAgeSeconds"), Number(json.GetProperty("difference"), "part")));
        Assert.Equal("""{"at":2,"arrived":10,"ready":7,"running":1,"oldestSeconds":2,"workers":1}""", json.GetProperty("points")[2].GetRawText());

        var fitted = (await Cli.OutputAsync("simulate", trace, "--slots", "1", "--recorded", recorded, "--calibrate", "--service-time", "1")).Split('\n');
        Assert.Contains("fits best          --service-time 1 --start-up 0, or any other start-up: no worker came", fitted);

        var svg = XDocument.Load(picture).Root!;
        var curves = svg.Elements(svg.Name.Namespace + "polyline").ToArray();
        Assert.Equal(5, curves.Length); // three predicted; age and workers recorded
        Assert.Equal(2, curves.Count(curve => curve.Attribute("stroke-dasharray") is not null));
        Assert.Equal(["Ready jobs", "jobs", "seconds from the start"], svg.Elements(svg.Name.Namespace + "text").Select(text => text.Value).Where(text => !char.IsDigit(text[0])).Take(3));
    }

    [Fact]
    public async Task The_table_has_no_more_than_25_rows_and_the_picture_loses_no_peak()
    {
        var trace = Write("at,jobs,seconds\n0,1,1\n40000,3200,10\n80000,1,1\n");
        var picture = Path.Combine(folder.FullName, "peak.svg");
        var table = (await Cli.OutputAsync("simulate", trace, "--svg", picture)).Split('\n').TakeWhile(line => line.Length > 0).ToArray();
        Assert.InRange(table.Length, 5, 26);
        Assert.StartsWith("22:13:21", table[^1], StringComparison.Ordinal);
        Assert.Contains(XDocument.Load(picture).Root!.Elements(), curve => curve.Name.LocalName == "polyline" && curve.Attribute("points")!.Value.Contains(",61.04 ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Wrong_use_of_the_command_says_what_to_do()
    {
        var trace = Write("at\n1\n");
        await SaysAsync(2, "--service-time is needed", trace);
        await SaysAsync(2, "--service-time must be a number from 0.0001 to 1000000.", trace, "--service-time", "NaN");
        await SaysAsync(2, "name it with --recorded", trace, "--calibrate");
        await SaysAsync(1, "is no ScaledObject", trace, "--service-time", "1", "--scaled-object", Write("kind: Deployment"));
        await SaysAsync(1, "pollingInterval must be at least 1", trace, "--service-time", "1", "--scaled-object", Write(File.ReadAllText(
            Path.Combine(Checkout.Root, "k8s", "components", "autoscaling", "worker-bulk.yaml")).Replace("pollingInterval: 10", "pollingInterval: 0", StringComparison.Ordinal)));
        await SaysAsync(1, "cannot be written", trace, "--service-time", "1", "--svg", "/no/such/folder/run.svg");

        async Task SaysAsync(int code, string said, params string[] arguments) =>
            Assert.Contains(said, (await Cli.RunAsync(["simulate", .. arguments])).With(code).Error, StringComparison.Ordinal);
    }

    private string Write(string text)
    {
        var file = Path.Combine(folder.FullName, $"{Guid.NewGuid():N}.csv");
        File.WriteAllText(file, text);
        return file;
    }

    private static double Number(JsonElement of, string member) => of.GetProperty(member).GetDouble();

    private static Arrival At(double at, long jobs = 1, double? seconds = null) => new(TimeSpan.FromSeconds(at), jobs, seconds is { } runs ? TimeSpan.FromSeconds(runs) : null);

    /// <summary>A quiet time, a burst that the workers need a while for, and another.</summary>
    private static Arrival[] Waves() =>
        [.. Enumerable.Range(0, 100).Select(tick => At(tick * 0.3)), .. Enumerable.Range(0, 800).Select(tick => At(30 + (tick * 0.01), jobs: 4)), .. Enumerable.Range(0, 500).Select(tick => At(90 + (tick * 0.04), jobs: 2))];

    /// <summary>One worker with one slot, that stays alone.</summary>
    private static SimulatedSystem One() => new(Scaled(), Slots: 1, Workers: 1, TimeSpan.FromSeconds(1), TimeSpan.Zero, TargetDrain: TimeSpan.FromSeconds(5));

    private static SimulatedSystem Fleet(double service, double startUp) =>
        new(Scaled(max: 4, target: 16), Slots: 16, Workers: 1, TimeSpan.FromSeconds(service), TimeSpan.FromSeconds(startUp), TimeSpan.FromMinutes(1));

    private static ScaledObject Scaled(int min = 1, int max = 1, double target = 1)
    {
        var atOnce = new ScalingRules(TimeSpan.Zero, "Max", [new ScalingPolicy("Pods", 1000, TimeSpan.FromSeconds(1))]);
        return new()
        {
            Target = "worker",
            Queue = "default",
            ValueLocation = "backlog",
            TargetValue = target,
            ActivationTargetValue = 0,
            MinReplicas = min,
            MaxReplicas = Math.Max(min, max),
            PollingInterval = TimeSpan.FromSeconds(1),
            CooldownPeriod = TimeSpan.FromMinutes(5),
            FailureThreshold = null,
            FallbackReplicas = 0,
            ScaleUp = atOnce,
            ScaleDown = atOnce,
        };
    }
}
