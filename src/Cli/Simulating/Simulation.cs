using System.Globalization;
using QueueScale.Cli.Scaling;
using QueueScale.Contracts;
using QueueScale.Local;

namespace QueueScale.Cli.Simulating;

/// <summary>What a trace is simulated on.</summary>
/// <param name="Scaled">What the autoscaler follows.</param>
/// <param name="Slots">Runs at once in one worker.</param>
/// <param name="Workers">How many there are at the start.</param>
/// <param name="Service">How long a job runs for which the trace does not say it.</param>
/// <param name="StartUp">From the decision that a worker shall come to its first job.</param>
/// <param name="TargetDrain">As Api:TargetDrainTime.</param>
internal sealed record SimulatedSystem(ScaledObject Scaled, int Slots, int Workers, TimeSpan Service, TimeSpan StartUp, TimeSpan TargetDrain);

/// <summary>Goes from event to event: jobs come, are taken in their order, and end; workers come and go as the autoscaler decides. There is no chance in it.</summary>
/// <remarks>Taking a job, handing it over and counting the queue take no time. The autoscaler decides at whole intervals from the start.</remarks>
internal sealed class Simulation
{
    /// <summary>The longest that is simulated: a day.</summary>
    public const int LongestSeconds = 24 * 60 * 60;

    /// <summary>As the API guesses where nothing has been measured yet.</summary>
    private const double UnknownRunSeconds = 1;

    private readonly Arrival[] trace;
    private readonly SimulatedSystem system;
    private readonly Clock clock = new();
    private readonly Autoscaler autoscaler;
    private readonly List<PredictedPoint> points = [];

    /// <summary>Those that are meant to be there, the eldest first; the first <see cref="serving"/> of them take jobs.</summary>
    private readonly List<Worker> workers = [];

    /// <summary>Jobs handed over, which go first.</summary>
    private readonly Queue<(TimeSpan Since, TimeSpan Takes)> handedOver = new();

    private PriorityQueue<LiveRun, TimeSpan> runs = new();
    private int serving;
    private int come; // arrivals that have come
    private int head; // the first of them that has not been taken whole
    private long headTaken; // jobs of it that have been taken
    private long arrived;
    private long taken;
    private double mean = UnknownRunSeconds;
    private TimeSpan nextDecision;
    private TimeSpan lastEnd;
    private TimeSpan greatestAge;
    private TimeSpan workerTime;
    private TimeSpan aboveTarget;
    private long greatestBacklog;

    private Simulation(Arrival[] trace, SimulatedSystem system)
    {
        (this.trace, this.system, autoscaler) = (trace, system, new Autoscaler(system.Scaled, clock));
        nextDecision = autoscaler.Interval;
        workers.AddRange(Enumerable.Range(0, system.Workers).Select(_ => new Worker(TimeSpan.Zero)));
        Remember();
    }

    /// <summary>Simulates until all jobs have ended and no more workers are left than there must be.</summary>
    /// <param name="trace">What comes, in the order of time.</param>
    /// <param name="system">What it comes to.</param>
    /// <param name="longestSeconds">Where it ends at the latest.</param>
    /// <param name="stop">Ends it early, by an exception.</param>
    public static Prediction Predict(Arrival[] trace, SimulatedSystem system, int longestSeconds = LongestSeconds, CancellationToken stop = default) =>
        new Simulation(trace, system).Run(longestSeconds, stop);

    private TimeSpan Now => clock.Now;

    private long Ready => arrived - taken + handedOver.Count;

    /// <summary>Since when the oldest ready job has been ready.</summary>
    private TimeSpan Oldest => Min(handedOver.TryPeek(out var first) ? first.Since : Now, head < come ? trace[head].At : Now);

    private bool IsDone => come == trace.Length && Ready == 0 && runs.Count == 0;

    private Prediction Run(int longestSeconds, CancellationToken stop)
    {
        while (true)
        {
            EndRuns();
            LetCome();
            StartRuns();
            if (Now == nextDecision)
            {
                Decide();
                StartRuns();
                nextDecision += autoscaler.Interval;
            }

            if (Now.Ticks == points.Count * TimeSpan.TicksPerSecond)
            {
                stop.ThrowIfCancellationRequested();
                points.Add(new(points.Count, arrived, Ready, runs.Count, Math.Round((Now - Oldest).TotalSeconds, 3), serving));
                if (points.Count > longestSeconds || (IsDone && workers.Count == system.Scaled.MinReplicas)) return new(points, Summary());
            }

            GoOn();
        }
    }

    /// <summary>To the next moment at which something happens.</summary>
    private void GoOn()
    {
        var next = Min(nextDecision, TimeSpan.FromSeconds(points.Count));
        if (come < trace.Length) next = Min(next, trace[come].At);
        if (serving < workers.Count) next = Min(next, workers[serving].ReadyAt);
        if (runs.TryPeek(out _, out var end)) next = Min(next, end);

        workerTime += (next - Now) * workers.Count;
        if (Ready > 0) aboveTarget += Max(TimeSpan.Zero, next - Max(Now, Oldest + system.TargetDrain));
        clock.Now = next;
    }

    private void EndRuns()
    {
        while (runs.TryPeek(out var run, out var end) && end <= Now)
        {
            runs.Dequeue();
            run.Worker.Ended(Now - run.Began);
            lastEnd = Now;
        }
    }

    private void LetCome()
    {
        for (; come < trace.Length && trace[come].At <= Now; come++) arrived += trace[come].Jobs;
        greatestBacklog = Math.Max(greatestBacklog, Ready + runs.Count);
    }

    private void StartRuns()
    {
        while (serving < workers.Count && workers[serving].ReadyAt <= Now) serving++;
        while (Ready > 0 && runs.Count < (long)serving * system.Slots)
        {
            var (since, takes) = Take();
            var idlest = workers[0];
            for (var other = 1; other < serving; other++) if (workers[other].Busy < idlest.Busy) idlest = workers[other];
            idlest.Busy++;
            runs.Enqueue(new(idlest, Now), Now + takes);
            greatestAge = Max(greatestAge, Now - since);
        }
    }

    private (TimeSpan Since, TimeSpan Takes) Take()
    {
        if (handedOver.TryDequeue(out var first)) return first;
        var from = trace[head];
        (headTaken, taken) = (headTaken + 1, taken + 1);
        if (headTaken == from.Jobs) (head, headTaken) = (head + 1, 0);
        return (from.At, from.Service ?? system.Service);
    }

    private void Decide()
    {
        var wanted = autoscaler.Decide(workers.Count, AutoscalingWorkers.ValueOf(system.Scaled, Scale()));
        while (workers.Count < wanted) workers.Add(new Worker(Now + system.StartUp));
        while (workers.Count > wanted) LetGo();
    }

    /// <summary>The youngest goes, as with <c>up --workers auto</c>; its runs go back to the head of the queue.</summary>
    private void LetGo()
    {
        var worker = workers[^1];
        workers.RemoveAt(workers.Count - 1);
        serving = Math.Min(serving, workers.Count);
        var own = runs.UnorderedItems.ToLookup(run => run.Element.Worker == worker);
        foreach (var (_, end) in own[true].OrderBy(run => run.Priority)) handedOver.Enqueue((Now, end - Now));
        runs = new(own[false]);
    }

    /// <summary>What the API would answer an autoscaler.</summary>
    private QueueScaleInfo Scale()
    {
        if (workers.Take(serving).Select(worker => worker.MeanSeconds).Average() is { } now) mean = now; // else that of those that did live
        var (ready, running, slots) = (Ready, runs.Count, serving * system.Slots);
        return new()
        {
            Queue = system.Scaled.Queue,
            Ready = ready,
            Running = running,
            Backlog = ready + running,
            Slots = slots,
            Workers = serving,
            OldestSeconds = (Now - Oldest).TotalSeconds,
            // The next two: QueueFigures in src/Store has the API's own.
            DrainSeconds = ready * mean / (slots > 0 ? slots : system.Slots),
            DesiredWorkers = ready + running == 0 ? 0 : (int)Math.Min(int.MaxValue, Math.Ceiling(((ready * mean / system.TargetDrain.TotalSeconds) + running) / system.Slots)),
        };
    }

    /// <summary>Lets the autoscaler have run for a while: until the start its workers had just as much as they shall have.</summary>
    private void Remember()
    {
        var intervals = (int)Math.Ceiling(Max(system.Scaled.ScaleUp.StabilizationWindow, system.Scaled.ScaleDown.StabilizationWindow) / autoscaler.Interval);
        for (var ago = intervals; ago >= 0; ago--)
        {
            clock.Now = -ago * autoscaler.Interval;
            autoscaler.Decide(workers.Count, workers.Count * system.Scaled.TargetValue);
        }
    }

    private PredictedSummary Summary() => new(
        greatestBacklog, Seconds(Max(greatestAge, Now - Oldest)), IsDone ? Seconds(lastEnd) : null, Seconds(workerTime), Seconds(aboveTarget), IsDone ? null : Endless());

    private string Endless()
    {
        var jobs = trace.Sum(arrival => arrival.Jobs);
        var seconds = trace.Sum(arrival => arrival.Jobs * (arrival.Service ?? system.Service).TotalSeconds) / jobs;
        var brings = jobs / Math.Max(1, (trace[^1].At - trace[0].At).TotalSeconds);
        return string.Create(CultureInfo.InvariantCulture,
            $"The backlog grows without end: {workers.Count} workers do {workers.Count * system.Slots / seconds:0.###} jobs/s and the trace brings {brings:0.###}. "
            + $"After {Now.TotalHours:0.#} hours {Ready + runs.Count:#,0} jobs are left.");
    }

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 3);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private readonly record struct LiveRun(Worker Worker, TimeSpan Began);

    private sealed class Worker(TimeSpan readyAt)
    {
        private double sum;
        private double weight;

        public TimeSpan ReadyAt { get; } = readyAt;

        public int Busy { get; set; }

        /// <summary>As a worker measures it: RunTimes in src/Worker. Null while no run has ended.</summary>
        public double? MeanSeconds => weight > 0 ? sum / weight : null;

        public void Ended(TimeSpan ran)
        {
            const double keep = 1 - (1 / 50.0);
            (sum, weight) = ((sum * keep) + ran.TotalSeconds, (weight * keep) + 1);
            Busy--;
        }
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
