using System.Text;
using QueueScale.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace QueueScale.Bus;

/// <summary>What RabbitMQ is like, as far as QueueScale depends on it.</summary>
/// <param name="Version">Such as <c>4.1.0</c>.</param>
/// <param name="MayNot">What the user is not allowed to do and would have to be; null when it may do all.</param>
/// <param name="OtherArguments">Lanes whose queue was declared otherwise.</param>
/// <param name="SetAside">Messages that no worker could read, by the queue that holds them.</param>
public sealed record BrokerFacts(string Version, string? MayNot, IReadOnlyList<string> OtherArguments, IReadOnlyDictionary<string, uint> SetAside);

/// <summary>Looks at the broker for <c>doctor</c>. It leaves nothing behind.</summary>
public static class BrokerDiagnosis
{
    private static readonly string[] AsideEndings = ["_error", "_skipped"];

    /// <param name="broker">Its address.</param>
    /// <param name="queues">The named queues whose lanes are looked at.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<BrokerFacts> LookAsync(Uri broker, IEnumerable<string> queues, CancellationToken cancellation)
    {
        var factory = new ConnectionFactory
        {
            Uri = broker, ClientProvidedName = "queuescale doctor", AutomaticRecoveryEnabled = false, RequestedConnectionTimeout = TimeSpan.FromSeconds(3), ContinuationTimeout = TimeSpan.FromSeconds(8),
        };
        await using var connection = await factory.CreateConnectionAsync(cancellation);
        var version = connection.ServerProperties?.TryGetValue("version", out var told) == true && told is byte[] bytes ? Encoding.UTF8.GetString(bytes) : "unknown";
        var (others, aside) = (new List<string>(), new Dictionary<string, uint>());
        foreach (var lane in queues.SelectMany(queue => new[] { QueueName.Front, QueueName.Normal }.Select(lane => QueueName.Physical(queue, lane))))
        {
            if (await CountAsync(connection, lane, cancellation) is not null
                && await RefusalAsync(connection, channel => BrokerLink.DeclareLaneAsync(channel, lane, cancellation)) is { } refusal && refusal.ReplyCode == 406)
            {
                others.Add($"{lane} ({refusal.ReplyText})");
            }

            foreach (var queue in AsideEndings.Select(ending => lane + ending))
            {
                if (await CountAsync(connection, queue, cancellation) is > 0 and var messages)
                {
                    aside[queue] = messages;
                }
            }
        }

        return new(version, await MayNotAsync(connection, cancellation), others, aside);
    }

    /// <summary>Goes the way of a lane with a queue of its own.</summary>
    private static async Task<string?> MayNotAsync(IConnection connection, CancellationToken cancellation)
    {
        var name = $"qs.doctor-{Guid.NewGuid():N}";
        return (await RefusalAsync(connection, async channel =>
        {
            await BrokerLink.DeclareLaneAsync(channel, name, cancellation);
            await channel.BasicPublishAsync(name, "", mandatory: true, ReadOnlyMemory<byte>.Empty, cancellation);
            await channel.BasicGetAsync(name, autoAck: true, cancellation);
            await channel.QueueDeleteAsync(name, ifUnused: false, ifEmpty: false, cancellationToken: cancellation);
            await channel.ExchangeDeleteAsync(name, cancellationToken: cancellation);
        }))?.ReplyText;
    }

    /// <returns>Messages that wait in a queue; null where there is no such queue.</returns>
    private static async Task<uint?> CountAsync(IConnection connection, string queue, CancellationToken cancellation)
    {
        uint? messages = null;
        await RefusalAsync(connection, async channel => messages = (await channel.QueueDeclarePassiveAsync(queue, cancellation)).MessageCount);
        return messages;
    }

    /// <returns>Why the broker refused; null where it did not.</returns>
    private static async Task<ShutdownEventArgs?> RefusalAsync(IConnection connection, Func<IChannel, Task> act)
    {
        await using var channel = await connection.CreateChannelAsync();
        try
        {
            await act(channel);
            return null;
        }
        catch (OperationInterruptedException error) when (error.ShutdownReason?.ReplyCode is 403 or 404 or 406)
        {
            return error.ShutdownReason;
        }
    }
}
