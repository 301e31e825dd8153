using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace QueueScale.Bus;

/// <summary>Registers the bus and its link to the broker.</summary>
public static class RabbitMqBus
{
    /// <summary>RabbitMQ takes the wake-ups of a process that it cannot reach back after two to three of these: about when the process's lease is over and
    /// its jobs go on elsewhere, whose wake-ups RabbitMQ could otherwise still send to the lost one. A healthy process that is cut off by mistake connects
    /// again and loses nothing.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(4);

    /// <param name="services">The host's services.</param>
    /// <param name="broker"><c>amqp://user:password@host:port/vhost</c></param>
    /// <param name="program">Who connects, as RabbitMQ shows it.</param>
    public static IServiceCollection AddRabbitMqBus(this IServiceCollection services, Uri broker, string program)
    {
        services.AddSingleton(provider => new BrokerLink(broker, program, provider.GetRequiredService<ILogger<BrokerLink>>()));
        services.AddHostedService(provider => provider.GetRequiredService<BrokerLink>());
        services.AddSingleton(provider =>
        {
            LogContext.ConfigureCurrentLogContext(provider.GetRequiredService<ILoggerFactory>());
            return new WakeUpBus(MassTransit.Bus.Factory.CreateUsingRabbitMq(configure => configure.Host(broker, program, host => host.Heartbeat(Heartbeat))));
        });
        return services;
    }
}
