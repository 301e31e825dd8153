namespace QueueScale.Api;

/// <summary>Something of which an API has so much, and a tenant may take half.</summary>
internal sealed class TenantShares(long most)
{
    private readonly Lock turn = new();
    private readonly Dictionary<int, long> taken = [];
    private long all;

    /// <returns>False where so much is not left, in all or for the tenant.</returns>
    public bool TryTake(int tenant, long amount)
    {
        lock (turn)
        {
            var own = taken.GetValueOrDefault(tenant) + amount;
            if (all + amount > most || own > most / 2)
            {
                return false;
            }

            (all, taken[tenant]) = (all + amount, own);
            return true;
        }
    }

    public void GiveBack(int tenant, long amount)
    {
        lock (turn)
        {
            all -= amount;
            if (taken.TryGetValue(tenant, out var own) && (taken[tenant] = own - amount) == 0)
            {
                taken.Remove(tenant);
            }
        }
    }
}
