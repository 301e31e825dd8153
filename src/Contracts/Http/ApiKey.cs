namespace QueueScale.Contracts;

/// <summary>What a key lets its bearer do. None includes another.</summary>
public enum KeyScope
{
    /// <summary>Submit jobs, cancel and retry them, put and delete schedules.</summary>
    Submit,

    /// <summary>Read jobs, runs, schedules and job types.</summary>
    Read,

    /// <summary>Read and change what all tenants share: queues and workers.</summary>
    Operate,

    /// <summary>Make, list and revoke keys.</summary>
    Admin,
}

/// <summary>A key that shall be made: the body of <c>POST /v1/keys</c>.</summary>
public sealed record NewApiKey
{
    /// <summary>What it is for, for whoever reads the list of keys: 1 to 100 characters.</summary>
    public required string Name { get; init; }

    /// <summary>What it lets its bearer do: at least one, and none that the caller's own key lacks.</summary>
    public required IReadOnlyList<KeyScope> Scopes { get; init; }

    /// <summary>Whose jobs it is for. Absent means the caller's own tenant; only tenant <c>default</c> makes keys for others, and a tenant that is new is made with its first key.</summary>
    public string? Tenant { get; init; }

    /// <summary>When it ends: no later than the caller's own key. Absent means when that one ends, or never.</summary>
    public DateTime? ExpiresAt { get; init; }
}

/// <summary>A key. Times are UTC; absent members have no value.</summary>
public sealed record ApiKey
{
    /// <summary>Its public part, which stands in the key between <c>qs_</c> and the secret.</summary>
    public required string Id { get; init; }

    /// <summary>The key itself. Shown once, to whoever makes it: only its hash is kept.</summary>
    public string? Key { get; init; }

    /// <summary>What it is for.</summary>
    public required string Name { get; init; }

    /// <summary>Whose jobs it is for.</summary>
    public required string Tenant { get; init; }

    /// <summary>What it lets its bearer do.</summary>
    public required IReadOnlyList<KeyScope> Scopes { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTime CreatedAt { get; init; }

    /// <summary>When it ends or has ended.</summary>
    public DateTime? ExpiresAt { get; init; }

    /// <summary>When it was revoked.</summary>
    public DateTime? RevokedAt { get; init; }

    /// <summary>When it was last used, to the minute.</summary>
    public DateTime? LastUsedAt { get; init; }

    /// <summary>Where to read on, relative to the API's address.</summary>
    public required ApiKeyLinks Links { get; init; }
}

/// <summary>Addresses of a key.</summary>
/// <param name="Self">The key, without its secret.</param>
public sealed record ApiKeyLinks(string Self);
