using QueueScale.Api;

namespace QueueScale.Tests;

/// <summary>How much memory bodies may take.</summary>
public sealed class BodyRoomTests
{
    private const int Half = (int)(BodyRoom.Most / 2);

    [Fact]
    public void A_tenant_takes_half_of_the_room_and_gives_it_back()
    {
        var room = new BodyRoom();
        using var one = room.Begin(1);
        using var more = room.Begin(1);
        using var others = room.Begin(2);
        using var third = room.Begin(3);
        one.Grow(Half - 1);
        more.Grow(1);
        Assert.Equal(503, Assert.Throws<Refusal>(() => more.Grow(1)).Status);
        others.Grow(Half);
        Assert.Throws<Refusal>(() => third.Grow(1));
        one.Dispose();
        one.Dispose();
        third.Grow(Half - 1);
        Assert.Throws<Refusal>(() => more.Grow(1)); // that is all
    }
}
