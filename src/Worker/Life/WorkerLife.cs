using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Contracts;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Worker;

/// <summary>A worker's life in the order in which it happens: check the schema, register, take jobs; after SIGTERM drain and leave.</summary>
internal sealed partial class WorkerLife(
    Database database, JobTypes types, JobCatalog catalog, PulseThread pulse, WakeUpBus bus, BrokerLink link, Intake intake, IntakeLimits limits, Runner runner, Slots slots, RunTable table,
    FleetReader fleet, WorkerQueues queues, WakeUps wakeUps, PutBacks putBacks, Completions completions, Failures failures, Checkpoints checkpoints,
    IOptions<WorkerOptions> options, IHostApplicationLifetime application, ILogger<WorkerLife> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource hurry = new();
    private readonly WorkerOptions options = options.Value;
    private Task starting = Task.CompletedTask;
    private PosixSignalRegistration? signals;
    private int sigterms;

    /// <summary>Whether it has begun to take jobs.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>The lanes it takes from.</summary>
    public IReadOnlyList<LaneEndpoint> Endpoints { get; private set; } = [];

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        WorkerMetrics.Expect(catalog);
        // Servers that are away hold up the jobs, not the process: liveness answers meanwhile.
        starting = Task.Run(BeginAsync, CancellationToken.None);
        signals = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ =>
        {
            if (Interlocked.Increment(ref sigterms) > 1)
            {
                hurry.Cancel(); // asked twice: the drain budget is over now
            }
        });
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        pulse.Draining = true;
        runner.BeginDrain();
        Log.Draining(logger, table.Count, options.DrainBudget);
        await stopping.CancelAsync();
        await starting;

        var stopIntake = HasStarted ? intake.StopAsync() : Task.CompletedTask;
        var removeEndpoints = HasStarted ? intake.RemoveEndpointsAsync(cancellationToken) : Task.CompletedTask;
        foreach (var run in table.All)
        {
            run.AskToStop();
        }

        await Task.WhenAny(WaitForRunsAsync(stopIntake), Task.Delay(options.DrainBudget, hurry.Token));
        if (table.Count > 0)
        {
            Log.BudgetOver(logger, table.Count);
            foreach (var run in table.All)
            {
                run.AskToStop();
                run.End(StopReason.Draining);
            }

            await Task.WhenAny(WaitForRunsAsync(stopIntake), Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None));
        }

        if (!await Within(TimeSpan.FromSeconds(1), removeEndpoints))
        {
            Log.IntakeSlow(logger);
        }

        Log.Drained(logger, TimeProvider.System.GetElapsedTime(began).TotalMilliseconds, table.Count);
        if (table.Count > 0)
        {
            Environment.ExitCode = 1; // their lease ends with this worker's last pulse, and the sweep hands them over
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await Within(TimeSpan.FromSeconds(1), Task.WhenAll(((IAsyncDisposable[])[completions, failures, checkpoints, putBacks, wakeUps]).Select(step => step.DisposeAsync().AsTask())));
        await Task.WhenAll(Within(TimeSpan.FromSeconds(1), bus.StopAsync(cancellationToken)), Within(TimeSpan.FromSeconds(1), Task.Run(pulse.Leave, CancellationToken.None)));
    }

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        signals?.Dispose();
        return Task.CompletedTask;
    }

    private async Task BeginAsync()
    {
        try
        {
            await UntilPostgresAnswersAsync(async () =>
            {
                await Schema.CheckAsync(database.General, stopping.Token);
                await database.OpenLeastAsync(stopping.Token);
                await types.RegisterAsync(catalog.All.Select(t => t.Registration), stopping.Token);
            });
            await pulse.StartAsync(stopping.Token);
            var means = new Dictionary<string, double>();
            await UntilPostgresAnswersAsync(async () =>
            {
                foreach (var queue in queues.Names)
                {
                    means[queue] = (await fleet.QueueAsync(queue, stopping.Token)).MeanRunSeconds;
                }
            });
            _ = bus.StartAsync(stopping.Token); // ends when the broker is there; until then the link says so
            Endpoints = [.. queues.Names.SelectMany(queue => new[] { QueueName.Front, QueueName.Normal }
                .Select(lane => new LaneEndpoint(bus, link, queue, lane, limits.Prefetch(options.Slots, means[queue]), intake.OfferAsync, logger)))];
            intake.Start(Endpoints);
            _ = SaveProgressAsync();
            HasStarted = true;
            Log.Started(logger, options.Name, string.Join(", ", queues.Names), slots.Size);
        }
        catch (SchemaMismatch mismatch)
        {
            Environment.ExitCode = HostProgram.Refuse("queuescale-worker", mismatch.Message);
            application.StopApplication();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Told to stop before it had begun.
        }
        catch (Exception error)
        {
            Log.CannotStart(logger, error.Message, error);
            Environment.ExitCode = 1;
            application.StopApplication();
        }
    }

    private async Task UntilPostgresAnswersAsync(Func<Task> step)
    {
        for (var told = false; ;)
        {
            try
            {
                await step();
                return;
            }
            catch (Exception error) when (BatchErrors.IsPassing(error) && !stopping.IsCancellationRequested)
            {
                if (!told)
                {
                    told = true;
                    Log.WaitingForPostgres(logger, error.Message);
                }

                await Task.Delay(RetryInterval, stopping.Token);
            }
        }
    }

    private async Task SaveProgressAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                foreach (var run in table.All)
                {
                    _ = run.SaveProgressAsync(); // nothing is promised of progress, so nobody waits for it
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping; the last checkpoint carries the last progress.
        }
    }

    /// <summary>Ends when all runs have ended and nothing new can come.</summary>
    private async Task WaitForRunsAsync(Task stopIntake)
    {
        await stopIntake;
        await table.WaitUntilEmptyAsync();
    }

    private static async Task<bool> Within(TimeSpan limit, Task work) => await Task.WhenAny(work, Task.Delay(limit)) == work;

    private static partial class Log
    {
        [LoggerMessage(4301, LogLevel.Information, "Worker {Worker} takes jobs from {Queues} with {Slots} slots")]
        public static partial void Started(ILogger logger, string worker, string queues, int slots);

        [LoggerMessage(4302, LogLevel.Information, "Draining: {Runs} runs are asked to stop at their next checkpoint, within {Budget}")]
        public static partial void Draining(ILogger logger, int runs, TimeSpan budget);

        [LoggerMessage(4303, LogLevel.Warning, "The drain budget is over: {Runs} runs are ended and put back")]
        public static partial void BudgetOver(ILogger logger, int runs);

        [LoggerMessage(4304, LogLevel.Information, "Drained in {ElapsedMs} ms, {Runs} runs left")]
        public static partial void Drained(ILogger logger, double elapsedMs, int runs);

        [LoggerMessage(4305, LogLevel.Warning, "PostgreSQL does not answer: {Reason}. The worker begins as soon as it does; check ConnectionStrings:Postgres if this stays so")]
        public static partial void WaitingForPostgres(ILogger logger, string reason);

        [LoggerMessage(4306, LogLevel.Critical, "The worker cannot start: {Reason}")]
        public static partial void CannotStart(ILogger logger, string reason, Exception error);

        [LoggerMessage(4307, LogLevel.Warning, "Consuming did not end in time; RabbitMQ takes back what was prefetched when the connection closes")]
        public static partial void IntakeSlow(ILogger logger);
    }
}

/// <summary>The queues that this worker serves.</summary>
internal sealed record WorkerQueues(IReadOnlyList<string> Names)
{
    public static WorkerQueues Of(WorkerOptions options, JobCatalog catalog)
    {
        var names = (options.Queues.Count > 0 ? options.Queues : catalog.All.Select(t => t.Queue)).Distinct().Order(StringComparer.Ordinal).ToArray();
        return names.FirstOrDefault(name => !QueueName.IsValid(name)) is { } wrong
            ? throw new BadSetting($"Worker:Queues holds '{wrong}'. A queue's name is {QueueName.Rule}.")
            : names.Length > 0 ? new WorkerQueues(names) : throw new BadSetting("Worker:Queues is empty and the worker knows no job type. Name a queue, or add a job class.");
    }
}
