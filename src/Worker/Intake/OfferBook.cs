using QueueScale.Contracts;

namespace QueueScale.Worker;

/// <summary>The offers of all lanes, and in which order their jobs are taken: queues in turn; in each the front lane first, but every eighth take from the
/// normal lane, so that neither starves.</summary>
internal sealed class OfferBook
{
    private const int NormalEvery = 8;

    private readonly Dictionary<string, Lanes> queues = [];
    private readonly List<string> order = [];
    private int next;

    public bool IsEmpty => order.Count == 0;

    public IEnumerable<Offer> All => queues.Values.SelectMany(q => q.Front.Concat(q.Normal));

    public void Add(Offer offer)
    {
        var queue = offer.Message.Queue;
        if (!queues.TryGetValue(queue, out var lanes))
        {
            queues.Add(queue, lanes = new Lanes());
        }

        if (lanes.IsEmpty)
        {
            order.Add(queue);
        }

        (offer.Message.Lane == QueueName.Front ? lanes.Front : lanes.Normal).AddLast(offer);
    }

    /// <summary>Takes the next job; false when there is none. An offer whose last job was taken leaves the book.</summary>
    public bool TryTake(out ReadyJob job, out Offer from)
    {
        if (order.Count == 0)
        {
            (job, from) = (default!, default!);
            return false;
        }

        next %= order.Count;
        var lanes = queues[order[next]];
        var normalTurn = ++lanes.Takes % NormalEvery == 0;
        var lane = (normalTurn || lanes.Front.Count == 0) && lanes.Normal.Count > 0 ? lanes.Normal : lanes.Front;
        from = lane.First!.Value;
        job = from.Message.Jobs[from.Taken++];
        if (from.IsUsedUp)
        {
            lane.RemoveFirst();
        }

        if (lanes.IsEmpty)
        {
            order.RemoveAt(next);
        }
        else
        {
            next++;
        }

        return true;
    }

    /// <summary>Takes out the offers that <paramref name="which"/> names.</summary>
    public IReadOnlyList<Offer> Remove(Func<Offer, bool> which)
    {
        var removed = All.Where(which).ToArray();
        foreach (var offer in removed)
        {
            var lanes = queues[offer.Message.Queue];
            (offer.Message.Lane == QueueName.Front ? lanes.Front : lanes.Normal).Remove(offer);
            if (lanes.IsEmpty)
            {
                order.Remove(offer.Message.Queue);
            }
        }

        return removed;
    }

    private sealed class Lanes
    {
        public LinkedList<Offer> Front { get; } = new();

        public LinkedList<Offer> Normal { get; } = new();

        public int Takes { get; set; }

        public bool IsEmpty => Front.Count == 0 && Normal.Count == 0;
    }
}
