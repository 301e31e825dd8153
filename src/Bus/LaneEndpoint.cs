using MassTransit;
using Microsoft.Extensions.Logging;
using QueueScale.Contracts;

namespace QueueScale.Bus;

/// <summary>What becomes of a received wake-up.</summary>
public enum Receipt
{
    /// <summary>Settled: it is acknowledged.</summary>
    Done,

    /// <summary>Not taken: it goes back to the head of its queue, for another worker.</summary>
    HandBack,
}

/// <summary>Receives the wake-ups of one lane. Consuming can be paused in place and resumed; where it does not come about although the broker is there, it is
/// begun anew.</summary>
public sealed partial class LaneEndpoint
{
    /// <summary>MassTransit itself waits up to half a minute between two attempts to consume, and for ever where an attempt is not answered.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    private readonly WakeUpBus bus;
    private readonly BrokerLink link;
    private readonly int prefetch;
    private readonly Func<JobsReady, Task<Receipt>> receive;
    private readonly ILogger logger;
    private readonly SemaphoreSlim turn = new(1);
    private readonly CancellationTokenSource removed = new();
    private HostReceiveEndpointHandle handle;
    private Watch watch;
    private bool wanted = true;

    /// <param name="bus">The bus.</param>
    /// <param name="link">Knows whether the broker is there.</param>
    /// <param name="queue">The named queue.</param>
    /// <param name="lane">The lane.</param>
    /// <param name="prefetch">Wake-ups held at once.</param>
    /// <param name="receive">Takes a wake-up, or not.</param>
    /// <param name="logger">Hears of new beginnings.</param>
    public LaneEndpoint(WakeUpBus bus, BrokerLink link, string queue, short lane, int prefetch, Func<JobsReady, Task<Receipt>> receive, ILogger logger)
    {
        this.bus = bus;
        this.link = link;
        Name = QueueName.Physical(queue, lane);
        this.prefetch = prefetch;
        this.receive = receive;
        this.logger = logger;
        (handle, watch) = Connect();
        _ = KeepConsumingAsync();
    }

    /// <summary>The lane's physical queue.</summary>
    public string Name { get; }

    /// <summary>Whether it is connected and consuming.</summary>
    public bool IsConsuming => watch.IsReady;

    /// <summary>Stops consuming; what was prefetched and is not being handled goes back. The wake-ups being handled must be settled first.</summary>
    public async Task PauseAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (wanted)
            {
                wanted = false;
                await handle.ReceiveEndpoint.Stop(removed.Token);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Consumes again.</summary>
    public async Task ResumeAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (!wanted)
            {
                wanted = true;
                watch.Restart();
                handle.ReceiveEndpoint.Start(removed.Token);
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Stops consuming for good.</summary>
    public async Task RemoveAsync(CancellationToken cancellation)
    {
        await removed.CancelAsync();
        await turn.WaitAsync(cancellation);
        await handle.StopAsync(cancellation);
    }

    private (HostReceiveEndpointHandle Handle, Watch Watch) Connect()
    {
        var newWatch = new Watch();
        var connected = bus.Control.ConnectReceiveEndpoint(Name, endpoint =>
        {
            var rabbit = (IRabbitMqReceiveEndpointConfigurator)endpoint;
            rabbit.SetQuorumQueue();
            rabbit.SetQueueArgument("x-delivery-limit", BrokerLink.DeliveryLimit);
            endpoint.ConfigureConsumeTopology = false;
            endpoint.PrefetchCount = prefetch;
            endpoint.ConcurrentMessageLimit = prefetch;
            endpoint.PublishFaults = false;
            endpoint.ConnectReceiveEndpointObserver(newWatch);
            endpoint.UseFilter(new HandBackFilter());
            endpoint.Handler<JobsReady>(async context =>
            {
                if (await receive(context.Message) == Receipt.HandBack)
                {
                    throw new NotTaken();
                }
            });
        });
        connected.ReceiveEndpoint.ConnectReceiveObserver(new Strays(Name, logger));
        return (connected, newWatch);
    }

    private async Task KeepConsumingAsync()
    {
        while (!removed.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), removed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!wanted || watch.IsReady || link.State != BrokerState.Up || watch.NotReadyFor < Patience || link.UpFor < Patience || removed.IsCancellationRequested)
            {
                continue;
            }

            await turn.WaitAsync();
            try
            {
                if (wanted && !removed.IsCancellationRequested)
                {
                    Log.BegunAnew(logger, Name, watch.NotReadyFor.TotalSeconds);
                    await Task.WhenAny(handle.StopAsync(CancellationToken.None), Task.Delay(StopLimit));
                    (handle, watch) = Connect();
                }
            }
            catch (Exception error)
            {
                Log.NotBegun(logger, Name, error.Message);
            }
            finally
            {
                turn.Release();
            }
        }
    }

    /// <summary>A wake-up that was not taken leaves the consumer as an exception, and the transport as a cancelled delivery, which RabbitMQ puts back to
    /// the head of the queue. Thrown inside the consumer, a cancellation would end in the error queue.</summary>
    private sealed class HandBackFilter : IFilter<ConsumeContext>
    {
        public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
        {
            try
            {
                await next.Send(context);
            }
            catch (NotTaken)
            {
                throw new OperationCanceledException("The wake-up goes back.");
            }
        }

        public void Probe(ProbeContext context) => context.CreateFilterScope("handBack");
    }

    private sealed class NotTaken() : Exception("This worker has no room for the wake-up.");

    private sealed class Watch : IReceiveEndpointObserver
    {
        private long since = TimeProvider.System.GetTimestamp();

        public bool IsReady { get; private set; }

        public TimeSpan NotReadyFor => TimeProvider.System.GetElapsedTime(since);

        public void Restart() => since = TimeProvider.System.GetTimestamp();

        public Task Ready(ReceiveEndpointReady ready)
        {
            IsReady = true;
            return Task.CompletedTask;
        }

        public Task Stopping(ReceiveEndpointStopping stopping) => Gone();

        public Task Completed(ReceiveEndpointCompleted completed) => Gone();

        public Task Faulted(ReceiveEndpointFaulted faulted) => Gone();

        private Task Gone()
        {
            if (IsReady)
            {
                Restart();
            }

            IsReady = false;
            return Task.CompletedTask;
        }
    }

    /// <summary>Tells of messages that are no wake-ups. MassTransit moves them aside without a word.</summary>
    private sealed class Strays(string queue, ILogger logger) : IReceiveObserver
    {
        public Task PostReceive(ReceiveContext context)
        {
            if (!context.IsDelivered && !context.IsFaulted)
            {
                Log.Skipped(logger, queue);
            }

            return Task.CompletedTask;
        }

        public Task ReceiveFault(ReceiveContext context, Exception exception)
        {
            if (exception is not OperationCanceledException)
            {
                Log.Unreadable(logger, queue, exception.GetBaseException().Message);
            }

            return Task.CompletedTask;
        }

        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class => Task.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(2021, LogLevel.Information, "{PhysicalQueue} has not been consumed for {Seconds} s although RabbitMQ is there; consuming begins anew")]
        public static partial void BegunAnew(ILogger logger, string physicalQueue, double seconds);

        [LoggerMessage(2022, LogLevel.Warning, "Consuming {PhysicalQueue} could not begin anew: {Reason}. It is tried again")]
        public static partial void NotBegun(ILogger logger, string physicalQueue, string reason);

        [LoggerMessage(2023, LogLevel.Warning, "A message in {PhysicalQueue} is no wake-up and was moved to {PhysicalQueue}_skipped. QueueScale does not send such: look there for who did")]
        public static partial void Skipped(ILogger logger, string physicalQueue);

        [LoggerMessage(2024, LogLevel.Warning, "A message in {PhysicalQueue} cannot be read and was moved to {PhysicalQueue}_error: {Reason}. QueueScale does not send such: look there for who did")]
        public static partial void Unreadable(ILogger logger, string physicalQueue, string reason);
    }
}
