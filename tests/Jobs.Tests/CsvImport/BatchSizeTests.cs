namespace QueueScale.Jobs.Tests;

public sealed class BatchSizeTests
{
    private readonly BatchSize size = new();

    [Fact]
    public void It_begins_small_and_doubles_at_most()
    {
        Assert.Equal(5_000, size.Rows);
        size.Took(5_000, TimeSpan.FromMilliseconds(1));
        Assert.Equal(10_000, size.Rows);
    }

    [Fact]
    public void It_settles_where_a_transaction_takes_150_milliseconds()
    {
        for (var i = 0; i < 10; i++) size.Took(size.Rows, TimeSpan.FromMilliseconds(size.Rows / 500.0));
        Assert.Equal(75_000, size.Rows);
        for (var i = 0; i < 10; i++) size.Took(size.Rows, TimeSpan.FromMilliseconds(size.Rows / 100.0));
        Assert.Equal(15_000, size.Rows);
    }

    [Fact]
    public void It_stays_between_its_limits()
    {
        for (var i = 0; i < 20; i++) size.Took(size.Rows, TimeSpan.Zero);
        Assert.Equal(200_000, size.Rows);
        size.Took(size.Rows, TimeSpan.FromMinutes(1));
        Assert.Equal(5_000, size.Rows);
    }

    [Fact]
    public void A_batch_that_was_full_of_bytes_can_make_it_smaller_but_not_larger()
    {
        for (var i = 0; i < 4; i++) size.Took(size.Rows, TimeSpan.FromMilliseconds(1));
        Assert.Equal(80_000, size.Rows);
        size.Took(10_000, TimeSpan.FromMilliseconds(1));
        Assert.Equal(80_000, size.Rows);
        size.Took(10_000, TimeSpan.FromMilliseconds(150));
        Assert.Equal(10_000, size.Rows);
    }
}
