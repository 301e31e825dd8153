using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Threading.Channels;
using MassTransit;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using QueueScale.Contracts;

namespace QueueScale.Bus;

/// <summary>Sends wake-ups for queued jobs. A wake-up that cannot be sent closes its lane: the jobs are parked, and the feeder sends them later in order.</summary>
public sealed partial class WakeUps : IAsyncDisposable
{
    /// <summary>After this long a send counts as failed. Sends would wait for minutes while the broker is away.</summary>
    public static readonly TimeSpan SendDeadline = TimeSpan.FromSeconds(2);

    /// <summary>After sends have failed for this long although the broker is there, its queue is looked at.</summary>
    private static readonly TimeSpan MendAfter = TimeSpan.FromSeconds(6);

    /// <summary>One wake-up carries what one slot does in this time.</summary>
    public const double SecondsPerWakeUp = 0.1;

    /// <summary>Jobs in a wake-up while nothing is known of their type.</summary>
    private const int UnknownBatch = 8;

    private const int Buffered = 4096;
    private const int InFlight = 32;

    private static readonly Meter Meter = new("QueueScale.Bus");

    private static readonly Counter<long> Sent = Meter.CreateCounter<long>("queuescale.wakeups.sent", "{job}", "Jobs named in wake-ups that RabbitMQ confirmed.");

    private readonly WakeUpBus bus;
    private readonly BrokerLink link;
    private readonly int wakeBatch;
    private readonly ILogger logger;
    private readonly Channel<JobsReady> buffer = Channel.CreateBounded<JobsReady>(Buffered);
    private readonly ConcurrentDictionary<(string Queue, short Lane), int> closedTurns = new();
    private readonly ConcurrentDictionary<string, long> unconfirmedSince = new();
    private readonly Task[] senders;

    public WakeUps(WakeUpBus bus, BrokerLink link, IOptions<BusOptions> options, ILogger<WakeUps> logger)
    {
        this.bus = bus;
        this.link = link;
        wakeBatch = options.Value.WakeBatch;
        this.logger = logger;
        senders = [.. Enumerable.Range(0, InFlight).Select(_ => Task.Run(SendBufferedAsync))];
    }

    /// <summary>Closes a lane from a time on, because a wake-up could not be sent. Answers whether that began a new turn; if not, it was closed before.</summary>
    public required Func<string, short, DateTime, Task<bool>> CloseLane { get; init; }

    /// <summary>Mean run seconds of a job type; null while unknown.</summary>
    public required Func<string, double?> MeanRunSeconds { get; init; }

    /// <summary>Hands wake-ups over to be sent, and does not wait. Jobs of closed lanes are left to the feeder.</summary>
    public void Send(IReadOnlyList<QueuedJob> jobs)
    {
        foreach (var message in Messages(jobs))
        {
            if (!buffer.Writer.TryWrite(message))
            {
                _ = CloseAsync(message, "the send buffer is full");
            }
        }
    }

    /// <summary>Sends wake-ups and waits for the broker's confirmations. Lanes of what is not confirmed are closed.</summary>
    /// <returns>Whether all were confirmed.</returns>
    public async Task<bool> SendAsync(IReadOnlyList<QueuedJob> jobs) =>
        (await Task.WhenAll(Messages(jobs).Select(SendOrCloseAsync))).All(sent => sent);

    /// <summary>Sends wake-ups and waits for the broker's confirmations; a failure changes nothing.</summary>
    /// <returns>Whether all were confirmed.</returns>
    public async Task<bool> TrySendAsync(IEnumerable<JobsReady> messages) =>
        (await Task.WhenAll(messages.Select(SendOneAsync))).All(problem => problem is null);

    /// <summary>Makes wake-ups of queued jobs: one a lane, filled with what a slot does in 100 ms.</summary>
    public IEnumerable<JobsReady> Messages(IEnumerable<QueuedJob> jobs)
    {
        foreach (var lane in jobs.Where(j => j.Send).GroupBy(j => (j.Queue, j.Lane, j.Turn)))
        {
            var (named, seconds, at) = (new List<ReadyJob>(), 0.0, default(DateTime));
            foreach (var job in lane.OrderBy(j => j.At))
            {
                if (named.Count == wakeBatch || seconds >= SecondsPerWakeUp)
                {
                    yield return new JobsReady(lane.Key.Queue, lane.Key.Lane, lane.Key.Turn, at, named);
                    (named, seconds) = ([], 0);
                }

                if (named.Count == 0)
                {
                    at = job.At;
                }

                named.Add(new ReadyJob(job.Id, job.Dispatch));
                seconds += MeanRunSeconds(job.Type) ?? SecondsPerWakeUp / UnknownBatch;
            }

            yield return new JobsReady(lane.Key.Queue, lane.Key.Lane, lane.Key.Turn, at, named);
        }
    }

    /// <summary>Takes nothing more, and sends or parks what was handed over.</summary>
    public async ValueTask DisposeAsync()
    {
        buffer.Writer.TryComplete();
        await Task.WhenAll(senders);
    }

    private async Task SendBufferedAsync()
    {
        await foreach (var message in buffer.Reader.ReadAllAsync())
        {
            await SendOrCloseAsync(message);
        }
    }

    private async Task<bool> SendOrCloseAsync(JobsReady message)
    {
        if (closedTurns.TryGetValue((message.Queue, message.Lane), out var closed) && message.Turn <= closed)
        {
            return false; // parked meanwhile: the lane was closed before this turn's end, and the feeder sends it
        }

        if (await SendOneAsync(message) is not { } problem)
        {
            return true;
        }

        await CloseAsync(message, problem);
        return false;
    }

    private async Task CloseAsync(JobsReady message, string problem)
    {
        try
        {
            if (await CloseLane(message.Queue, message.Lane, message.At))
            {
                closedTurns.AddOrUpdate((message.Queue, message.Lane), message.Turn, (_, turn) => Math.Max(turn, message.Turn));
                Log.LaneClosed(logger, message.Queue, message.Lane, problem);
            }
        }
        catch (Exception error)
        {
            // PostgreSQL is away too. The jobs stay queued in a lane that counts as open; reconcile finds them.
            Log.LaneNotClosed(logger, message.Queue, message.Lane, problem, error);
        }
    }

    /// <returns>What went wrong; null when the broker confirmed.</returns>
    private async Task<string?> SendOneAsync(JobsReady message)
    {
        var name = QueueName.Physical(message.Queue, message.Lane);
        if (link.State == BrokerState.Down)
        {
            unconfirmedSince.TryRemove(name, out _);
            return "RabbitMQ is away";
        }

        var problem = await TryOnceAsync(name, message);
        if (problem is not null
            && TimeProvider.System.GetElapsedTime(unconfirmedSince.GetOrAdd(name, _ => TimeProvider.System.GetTimestamp())) > MendAfter
            && unconfirmedSince.TryRemove(name, out _)
            && await MendAsync(name))
        {
            problem = await TryOnceAsync(name, message);
        }

        if (problem is null)
        {
            unconfirmedSince.TryRemove(name, out _);
            Sent.Add(message.Jobs.Count);
        }

        return problem;
    }

    /// <returns>Whether the queue is a new one.</returns>
    private async Task<bool> MendAsync(string name)
    {
        try
        {
            return await link.MendAsync(name);
        }
        catch (Exception error)
        {
            Log.NotMended(logger, name, error.Message);
            return false;
        }
    }

    private async Task<string?> TryOnceAsync(string name, JobsReady message)
    {
        using var deadline = new CancellationTokenSource(SendDeadline);
        try
        {
            for (var first = true; ; first = false)
            {
                await link.DeclareAsync(name, deadline.Token);
                var endpoint = await bus.Control.GetSendEndpoint(new Uri($"exchange:{name}")).WaitAsync(deadline.Token);
                try
                {
                    // MassTransit heeds the token only here and there: on a channel whose queue has no leader it waits for 20 s all the same.
                    await endpoint.Send(message, Pipe.Execute<SendContext<JobsReady>>(context => ((RabbitMqSendContext)context).Mandatory = true), deadline.Token).WaitAsync(deadline.Token);
                    return null;
                }
                catch (MessageReturnedException) when (first)
                {
                    await link.ForgetAsync(name); // somebody deleted the queue: declare it anew, once
                }
            }
        }
        catch (OperationCanceledException)
        {
            return $"RabbitMQ did not confirm within {SendDeadline.TotalSeconds} s";
        }
        catch (Exception error)
        {
            return error.Message;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2011, LogLevel.Warning, "Lane {Queue}/{Lane} closed, its new jobs are parked: {Problem}")]
        public static partial void LaneClosed(ILogger logger, string queue, short lane, string problem);

        [LoggerMessage(2013, LogLevel.Warning, "Wake-ups for {PhysicalQueue} are not confirmed, and its state could not be found out: {Reason}. Look at the queue in RabbitMQ; deleting it loses no job")]
        public static partial void NotMended(ILogger logger, string physicalQueue, string reason);

        [LoggerMessage(2012, LogLevel.Warning, "A wake-up for lane {Queue}/{Lane} was not sent ({Problem}) and the lane could not be closed; its jobs are found by reconcile")]
        public static partial void LaneNotClosed(ILogger logger, string queue, short lane, string problem, Exception error);
    }
}
