namespace QueueScale.Tests;

public sealed class SeenTests
{
    private readonly Seen seen = new();

    [Fact]
    public void The_greatest_wake_up_of_the_greatest_turn_is_reported_for_each_lane()
    {
        Note("mail", QueueName.Normal, turn: 1, second: 9);
        Note("mail", QueueName.Normal, turn: 2, second: 3);
        Note("mail", QueueName.Normal, turn: 2, second: 5);
        Note("mail", QueueName.Normal, turn: 2, second: 4); // settled out of order
        Note("mail", QueueName.Normal, turn: 1, second: 59); // left over from before the lane was fed again
        Note("mail", QueueName.Front, turn: 0, second: 1);
        Assert.Equal([("mail", QueueName.Normal, 2, 5), ("mail", QueueName.Front, 0, 1)], seen.Report().Select(s => (s.Queue, s.Lane, s.Turn, s.At.Second)));
    }

    private void Note(string queue, short lane, int turn, int second) => seen.Note(new JobsReady(queue, lane, turn, DateTime.UnixEpoch.AddSeconds(second), []));
}
