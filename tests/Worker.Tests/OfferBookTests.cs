namespace QueueScale.Tests;

public sealed class OfferBookTests
{
    private readonly OfferBook book = new();

    [Fact]
    public void An_endless_front_lane_leaves_every_eighth_take_to_the_normal_lane()
    {
        Add("mail", QueueName.Front, 1000);
        Add("mail", QueueName.Normal, 1000);
        var lanes = Take(80).Select(taken => taken.From.Message.Lane).ToArray();
        Assert.Equal(Enumerable.Range(1, 80).Select(take => take % 8 == 0 ? QueueName.Normal : QueueName.Front), lanes);
    }

    [Fact]
    public void Queues_take_turns_however_much_one_of_them_holds()
    {
        Add("large", QueueName.Normal, 1000);
        Add("small", QueueName.Normal, 3);
        Assert.Equal(["large", "small", "large", "small", "large", "small", "large", "large"], Take(8).Select(taken => taken.From.Message.Queue));
    }

    [Fact]
    public void An_offer_leaves_the_book_with_its_last_job_and_each_job_is_taken_once()
    {
        var first = Add("mail", QueueName.Normal, 2);
        var second = Add("mail", QueueName.Normal, 1);
        Assert.Equal([.. first.Message.Jobs, .. second.Message.Jobs], Take(3).Select(taken => taken.Job));
        Assert.True(first.IsUsedUp && second.IsUsedUp);
        Assert.True(book.IsEmpty);
        Assert.False(book.TryTake(out _, out _));
    }

    [Fact]
    public void A_queue_whose_offers_were_removed_gives_nothing_until_it_is_offered_something_anew()
    {
        var removed = Add("mail", QueueName.Front, 2);
        Add("other", QueueName.Normal, 2);
        Assert.Equal([removed], book.Remove(offer => offer.Message.Queue == "mail"));
        Assert.Equal(["other", "other"], Take(2).Select(taken => taken.From.Message.Queue));
        var added = Add("mail", QueueName.Normal, 1);
        Assert.Same(added, Assert.Single(Take(1)).From);
        Assert.True(book.IsEmpty);
    }

    private Offer Add(string queue, short lane, int jobs)
    {
        var offer = new Offer(new JobsReady(queue, lane, 0, DateTime.UnixEpoch, [.. Enumerable.Range(0, jobs).Select(_ => new ReadyJob(Guid.NewGuid(), 0))]));
        book.Add(offer);
        return offer;
    }

    private IEnumerable<(ReadyJob Job, Offer From)> Take(int jobs)
    {
        for (var taken = 0; taken < jobs; taken++)
        {
            Assert.True(book.TryTake(out var job, out var from));
            yield return (job, from);
        }
    }
}
