using QueueScale.Contracts;

namespace QueueScale.Api;

/// <summary>Whose request it is, and what it may do.</summary>
/// <param name="Tenant">Whose jobs it sees.</param>
/// <param name="Key">The id of its key.</param>
/// <param name="Scopes">What it may do.</param>
/// <param name="ExpiresAt">When its key ends.</param>
internal sealed record Caller(int Tenant, string Key, IReadOnlyList<KeyScope> Scopes, DateTime? ExpiresAt = null)
{
    /// <summary>Who has the key of the settings.</summary>
    public static readonly Caller Bootstrap = new(Store.Keys.FirstTenant, "bootstrap", Enum.GetValues<KeyScope>());

    /// <summary>The tenants whose keys it sees: null for all of them.</summary>
    public int? KeysOf => Tenant == Store.Keys.FirstTenant ? null : Tenant;

    public static Caller? Of(HttpContext context) => (Caller?)context.Items[typeof(Caller)];

    public void Enter(HttpContext context) => context.Items[typeof(Caller)] = this;
}

internal static class Callers
{
    public static Caller Caller(this HttpContext context) => QueueScale.Api.Caller.Of(context)!;

    public static int Tenant(this HttpContext context) => context.Caller().Tenant;
}
