namespace QueueScale.Api;

/// <summary>How much memory the bodies of requests may take, from their first byte until what they hold is stored. What is read and parsed of them takes several times as much.</summary>
internal sealed class BodyRoom
{
    /// <summary>Of all bodies together; half of it of one tenant's.</summary>
    public const long Most = 96 << 20;

    private readonly TenantShares shares = new(Most);

    /// <summary>A place for one body, which has no byte yet.</summary>
    public Place Begin(int tenant) => new(shares, tenant);

    /// <summary>What one body takes, until it is disposed.</summary>
    public sealed class Place(TenantShares shares, int tenant) : IDisposable
    {
        private long bytes;

        /// <summary>More of the body has come.</summary>
        /// <exception cref="Refusal">503: there is no room for it.</exception>
        public void Grow(int more)
        {
            if (!shares.TryTake(tenant, more))
            {
                throw new Refusal(503, "overloaded", "Too many large requests are being read.", "Nothing was stored. Try again later, or send less at once.");
            }

            bytes += more;
        }

        public void Dispose()
        {
            shares.GiveBack(tenant, bytes);
            bytes = 0;
        }
    }
}
