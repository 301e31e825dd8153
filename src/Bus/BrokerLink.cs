using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using QueueScale.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace QueueScale.Bus;

/// <summary>Whether the broker can be reached.</summary>
public enum BrokerState
{
    /// <summary>The first attempt is still under way.</summary>
    Unknown,

    /// <summary>Connected.</summary>
    Up,

    /// <summary>Not connected; it is tried again and again.</summary>
    Down,
}

/// <summary>A light connection of our own to the broker: it declares lanes before anyone sends to them, and knows at once when the broker goes and comes back.</summary>
/// <remarks>MassTransit declares a queue only where it is consumed, and a bus without receive endpoints does not say whether its broker is there.</remarks>
public sealed partial class BrokerLink(Uri broker, string program, ILogger<BrokerLink> logger) : BackgroundService
{
    /// <summary>Hand-backs count as deliveries. Without a limit RabbitMQ 3 would send them to the back of the queue, and a low one would drop them.</summary>
    internal const int DeliveryLimit = 1_000_000;

    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    /// <summary>The broker writes an error into its log for each question about a queue that it does not have, so these are asked again only now and then.</summary>
    private static readonly TimeSpan MissingFor = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Task> declared = new();
    private readonly Dictionary<string, long> missing = [];
    private readonly SemaphoreSlim channelTurn = new(1);
    private readonly TaskCompletionSource attempted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IConnection? connection;
    private long upSince;

    /// <summary>Whether the broker can be reached.</summary>
    public BrokerState State { get; private set; }

    /// <summary>For how long it has been connected.</summary>
    public TimeSpan UpFor => State == BrokerState.Up ? TimeProvider.System.GetElapsedTime(upSince) : TimeSpan.Zero;

    /// <summary>Called after every connect and after a lane had to be declared anew: what was on its way may be lost.</summary>
    public Func<Task>? Returned { get; set; }

    /// <summary>Makes sure that a lane's queue, its exchange and their binding exist.</summary>
    public Task DeclareAsync(string physicalQueue, CancellationToken cancellation) =>
        declared.GetOrAdd(physicalQueue, name => DeclareNowAsync(name)).WaitAsync(cancellation);

    /// <summary>The broker says that the lane does not exist: the next <see cref="DeclareAsync"/> declares it anew.</summary>
    public async Task ForgetAsync(string physicalQueue)
    {
        if (declared.TryRemove(physicalQueue, out _))
        {
            await NotifyReturnedAsync();
        }
    }

    /// <summary>Wake-ups for the lane have not been confirmed for long, although the broker is there. If the broker itself cannot reach the queue, the queue is
    /// deleted and declared anew; what was in it is sent again.</summary>
    /// <remarks>A quorum queue that was declared moments before its broker was killed can stay without a leader for ever (seen with RabbitMQ 3.10). A broker that
    /// only blocks publishers, because its memory or its disk is full, still answers for its queues, and these are left alone.</remarks>
    /// <returns>Whether it was deleted.</returns>
    public async Task<bool> MendAsync(string physicalQueue)
    {
        if (await WithOwnConnectionAsync(channel => AnswersAsync(channel, physicalQueue)))
        {
            return false;
        }

        await WithOwnConnectionAsync(channel => channel.QueueDeleteAsync(physicalQueue, ifUnused: false, ifEmpty: false));
        Log.QueueRenewed(logger, physicalQueue);
        await ForgetAsync(physicalQueue);
        return true;
    }

    /// <summary>Makes the broker answer, on the link's own connection.</summary>
    /// <exception cref="BrokerAway">There is no connection.</exception>
    public async Task AskAsync()
    {
        var link = connection ?? throw new BrokerAway();
        await using var channel = await link.CreateChannelAsync();
    }

    /// <summary>How many messages wait in both lanes of each queue, those that consumers hold not counted. A queue whose lanes do not exist is left out. Not for
    /// several callers at once.</summary>
    /// <exception cref="BrokerAway">There is no connection.</exception>
    public async Task<IReadOnlyDictionary<string, long>> MessagesAsync(IEnumerable<string> queues, CancellationToken cancellation)
    {
        var link = connection ?? throw new BrokerAway();
        var waiting = new Dictionary<string, long>();
        IChannel? channel = null;
        try
        {
            foreach (var (queue, name) in queues.SelectMany(queue => new[] { QueueName.Front, QueueName.Normal }.Select(lane => (queue, QueueName.Physical(queue, lane)))))
            {
                if (missing.TryGetValue(name, out var since) && TimeProvider.System.GetElapsedTime(since) < MissingFor)
                {
                    continue;
                }

                try
                {
                    channel ??= await link.CreateChannelAsync(cancellationToken: cancellation);
                    var answer = await channel.QueueDeclarePassiveAsync(name, cancellation);
                    waiting[queue] = waiting.GetValueOrDefault(queue) + answer.MessageCount;
                }
                catch (OperationInterruptedException error) when (error.ShutdownReason?.ReplyCode is 404)
                {
                    missing[name] = TimeProvider.System.GetTimestamp();
                    await channel!.DisposeAsync(); // such an answer closes it
                    channel = null;
                }
            }

            return waiting;
        }
        finally
        {
            if (channel is not null)
            {
                await channel.DisposeAsync();
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var factory = Factory("link");
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var opened = await factory.CreateConnectionAsync(stoppingToken);
                var closed = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
                opened.ConnectionShutdownAsync += (_, reason) =>
                {
                    closed.TrySetResult(reason.ReplyText);
                    return Task.CompletedTask;
                };
                connection = opened;
                declared.Clear();
                upSince = TimeProvider.System.GetTimestamp();
                State = BrokerState.Up;
                attempted.TrySetResult();
                Log.Connected(logger, broker.Host, broker.Port);
                await NotifyReturnedAsync();
                var why = await closed.Task.WaitAsync(stoppingToken);
                Log.Disconnected(logger, broker.Host, broker.Port, why);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                if (State != BrokerState.Down)
                {
                    Log.Unreachable(logger, broker.Host, broker.Port, (error.InnerException ?? error).Message);
                }
            }

            connection = null;
            State = BrokerState.Down;
            attempted.TrySetResult();
            await Task.Delay(RetryInterval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A lane: its exchange, its queue and their binding.</summary>
    internal static async Task DeclareLaneAsync(IChannel channel, string name, CancellationToken cancellation)
    {
        await channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellation);
        await channel.QueueDeclareAsync(name, durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = DeliveryLimit }, cancellationToken: cancellation);
        await channel.QueueBindAsync(name, name, routingKey: "", cancellationToken: cancellation);
    }

    private async Task DeclareNowAsync(string name)
    {
        try
        {
            await attempted.Task;
            await channelTurn.WaitAsync();
            try
            {
                var link = connection ?? throw new BrokerAway();
                await using var channel = await link.CreateChannelAsync();
                await DeclareLaneAsync(channel, name, CancellationToken.None);
            }
            finally
            {
                channelTurn.Release();
            }
        }
        catch (Exception error)
        {
            declared.TryRemove(name, out _);
            throw error is OperationInterruptedException { ShutdownReason.ReplyCode: 406 } other
                ? new InvalidOperationException($"RabbitMQ has a queue '{name}' with other arguments than QueueScale's. Delete it; no job is lost. ({other.ShutdownReason.ReplyText})", error)
                : error;
        }
    }

    private static async Task<bool> AnswersAsync(IChannel channel, string physicalQueue)
    {
        try
        {
            if (await channel.BasicGetAsync(physicalQueue, autoAck: false) is { } message)
            {
                await channel.BasicNackAsync(message.DeliveryTag, multiple: false, requeue: true);
            }

            return true;
        }
        catch (OperationInterruptedException error) when (error.ShutdownReason?.ReplyCode is 541)
        {
            return false;
        }
        catch (OperationCanceledException)
        {
            return false; // no answer within the continuation time-out
        }
    }

    /// <summary>A connection that waits for a queue that does not answer is of no more use to anyone: so it is not the link, and it is left without a word.</summary>
    private async Task<T> WithOwnConnectionAsync<T>(Func<IChannel, Task<T>> use)
    {
        var own = await Factory("mending").CreateConnectionAsync();
        try
        {
            return await use(await own.CreateChannelAsync());
        }
        finally
        {
            _ = own.AbortAsync(200, "", TimeSpan.FromSeconds(1)); // its channel still waits for the answer, for 5 s at times
        }
    }

    private ConnectionFactory Factory(string purpose) => new()
    {
        Uri = broker,
        ClientProvidedName = $"{program} {purpose}",
        AutomaticRecoveryEnabled = false,
        TopologyRecoveryEnabled = false,
        RequestedHeartbeat = TimeSpan.FromSeconds(10),
        RequestedConnectionTimeout = TimeSpan.FromSeconds(3),
        ContinuationTimeout = TimeSpan.FromSeconds(8),
    };

    private async Task NotifyReturnedAsync()
    {
        try
        {
            await (Returned?.Invoke() ?? Task.CompletedTask);
        }
        catch (Exception error)
        {
            Log.ReturnNotHandled(logger, error);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2001, LogLevel.Information, "Connected to RabbitMQ at {Host}:{Port}")]
        public static partial void Connected(ILogger logger, string host, int port);

        [LoggerMessage(2002, LogLevel.Warning, "Lost RabbitMQ at {Host}:{Port}: {Reason}. New jobs are accepted and parked until it is back")]
        public static partial void Disconnected(ILogger logger, string host, int port, string reason);

        [LoggerMessage(2003, LogLevel.Warning, "RabbitMQ at {Host}:{Port} cannot be reached: {Reason}. It is tried again every second; check ConnectionStrings:RabbitMq if this stays so")]
        public static partial void Unreachable(ILogger logger, string host, int port, string reason);

        [LoggerMessage(2005, LogLevel.Warning, "RabbitMQ cannot reach its queue {PhysicalQueue}; it was deleted and is declared anew. No job is lost: its wake-ups are sent again")]
        public static partial void QueueRenewed(ILogger logger, string physicalQueue);

        [LoggerMessage(2004, LogLevel.Warning, "After RabbitMQ came back, probes could not be forgotten; they are repeated after a while anyway")]
        public static partial void ReturnNotHandled(ILogger logger, Exception error);
    }
}

/// <summary>The broker cannot be reached.</summary>
public sealed class BrokerAway() : Exception("RabbitMQ cannot be reached.");
