namespace QueueScale.Contracts;

/// <summary>Names of tenants. They look like names of queues: <see cref="QueueName.Rule"/>.</summary>
public static class TenantName
{
    /// <summary>The tenant that is always there: the first key's, and whose keys make keys for others.</summary>
    public const string First = "default";
}
