using MassTransit;

namespace QueueScale.Bus;

/// <summary>The bus that wake-ups travel on.</summary>
public sealed class WakeUpBus
{
    internal WakeUpBus(IBusControl control) => Control = control;

    internal IBusControl Control { get; }

    /// <summary>Ends when the broker is there.</summary>
    public Task StartAsync(CancellationToken cancellation) => Control.StartAsync(cancellation);

    public Task StopAsync(CancellationToken cancellation) => Control.StopAsync(cancellation);
}
