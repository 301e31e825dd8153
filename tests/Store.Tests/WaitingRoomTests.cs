using QueueScale.Store;

namespace QueueScale.Tests;

public sealed class WaitingRoomTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly WaitingRoom room = new();

    [Fact]
    public void Many_rows_that_take_long_for_a_second_leave_room_for_what_is_written_in_a_moment()
    {
        room.Wrote(125, Second / 4);
        Assert.Equal(int.MaxValue, room.Rows);
        room.Wrote(500, Second);
        Assert.Equal(50, room.Rows);
        room.Wrote(50, Second / 20);
        Assert.Equal(100, room.Rows);
    }

    [Theory]
    [InlineData(500, 0.19)] // large and fast
    [InlineData(63, 5)] // a slow disk, or PostgreSQL frozen for a while
    public void What_says_nothing_of_the_rate_takes_no_room(int rows, double seconds)
    {
        for (var batch = 0; batch < 20; batch++)
        {
            room.Wrote(rows, Second * seconds);
        }

        Assert.Equal(int.MaxValue, room.Rows);
    }

    [Fact]
    public void A_pause_between_two_fast_batches_takes_no_room()
    {
        for (var batch = 0; batch < 20; batch++)
        {
            room.Wrote(500, Second * 0.9);
            room.Wrote(500, Second * 0.1);
        }

        Assert.Equal(int.MaxValue, room.Rows);
    }

    [Fact]
    public void Commits_that_are_slow_whatever_they_hold_take_no_room_for_long()
    {
        var (accepted, waiting) = (0, 0);
        for (var batch = 0; batch < 500; batch++) // 400 rows a second where each commit takes 200 ms
        {
            waiting = Math.Min(80, room.Rows);
            accepted += waiting;
            room.Wrote(waiting, Second / 5);
        }

        Assert.InRange(accepted, 0.99 * 500 * 80, 500 * 80);
    }

    [Fact]
    public void One_batch_that_takes_long_meanwhile_changes_nothing()
    {
        room.Wrote(500, Second);
        room.Wrote(50, Second / 10);
        room.Wrote(50, Second);
        Assert.Equal(50, room.Rows);
        room.Wrote(50, Second / 10);
        Assert.Equal(50, room.Rows);
    }

    [Fact]
    public void However_slow_PostgreSQL_is_some_rows_may_wait()
    {
        room.Wrote(100, Second * 10);
        Assert.Equal(32, room.Rows);
    }

    [Fact]
    public void When_few_wait_all_is_well_again()
    {
        room.Wrote(500, Second);
        room.Wrote(25, Second / 20); // as many as may wait, half of them
        Assert.Equal(50, room.Rows);
        room.Wrote(24, Second / 20);
        Assert.Equal(int.MaxValue, room.Rows);
    }
}
