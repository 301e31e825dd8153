using System.Text.RegularExpressions;

namespace QueueScale.Contracts;

/// <summary>The rule for names of queues, and the names of their physical RabbitMQ queues.</summary>
public static partial class QueueName
{
    /// <summary>Normal lane.</summary>
    public const short Normal = 0;

    /// <summary>Front lane: high priority, hand-overs and jobs given back.</summary>
    public const short Front = 1;

    /// <summary>What a name must look like, in words for an error message.</summary>
    public const string Rule = "1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or a digit";

    /// <summary>Whether <paramref name="name"/> can be a queue's name.</summary>
    public static bool IsValid(string name) => Pattern().IsMatch(name);

    /// <summary>The RabbitMQ queue of one lane.</summary>
    public static string Physical(string queue, short lane) => lane == Front ? $"qs.{queue}.front" : $"qs.{queue}";

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9_-]{0,62}\z")]
    private static partial Regex Pattern();
}
