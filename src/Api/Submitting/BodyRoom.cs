namespace QueueScale.Api;

/// <summary>How much memory the bodies of requests may take, from their first byte until what they hold is stored. What is read and parsed of them takes several times as much.</summary>
internal sealed class BodyRoom
{
    /// <summary>Of all bodies together; half of it of one tenant's.</summary>
    public const long Most = 96 << 20;

    private readonly Lock turn = new();
    private readonly Dictionary<int, long> taken = [];
    private long all;

    /// <summary>A place for one body, which has no byte yet.</summary>
    public Place Begin(int tenant) => new(this, tenant);

    private bool TryTake(int tenant, long bytes)
    {
        lock (turn)
        {
            var own = taken.GetValueOrDefault(tenant) + bytes;
            if (bytes > 0 && (all + bytes > Most || own > Most / 2))
            {
                return false;
            }

            all += bytes;
            taken[tenant] = own;
            if (own == 0)
            {
                taken.Remove(tenant);
            }

            return true;
        }
    }

    /// <summary>What one body takes, until it is disposed.</summary>
    public sealed class Place(BodyRoom room, int tenant) : IDisposable
    {
        private long bytes;

        /// <summary>More of the body has come.</summary>
        /// <exception cref="Refusal">503: there is no room for it.</exception>
        public void Grow(int more)
        {
            if (!room.TryTake(tenant, more))
            {
                throw new Refusal(503, "overloaded", "Too many large requests are being read.", "Nothing was stored. Try again later, or send less at once.");
            }

            bytes += more;
        }

        public void Dispose()
        {
            room.TryTake(tenant, -bytes);
            bytes = 0;
        }
    }
}
