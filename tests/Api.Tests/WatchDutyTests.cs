using Microsoft.Extensions.Logging.Abstractions;
using QueueScale.Api;

namespace QueueScale.Tests;

/// <summary>How many may wait at an API.</summary>
public sealed class WatchDutyTests
{
    [Fact]
    public void A_tenant_whose_callers_wait_leaves_room_for_those_of_others()
    {
        var watches = new WatchDuty(null!, null!, TimeProvider.System, NullLogger<WatchDuty>.Instance); // it is not run, so it reads nothing
        var (one, same) = (Enumerable.Range(0, WatchDuty.MostWatches / 2).Select(_ => watches.TryBegin(Guid.NewGuid(), 1)).ToArray(), Guid.NewGuid());
        Assert.DoesNotContain(null, one);
        Assert.Null(watches.TryBegin(same, 1));
        var others = Enumerable.Range(0, WatchDuty.MostWatches / 2).Select(_ => watches.TryBegin(same, 2)).ToArray();
        Assert.DoesNotContain(null, others);
        Assert.Null(watches.TryBegin(same, 3));
        one[0]!.Dispose();
        using var next = watches.TryBegin(same, 3);
        Assert.NotNull(next);
        Assert.Null(watches.TryBegin(same, 1));
    }

    [Fact]
    public void Those_who_keep_much_are_let_in_until_it_is_too_much()
    {
        var watches = new WatchDuty(null!, null!, TimeProvider.System, NullLogger<WatchDuty>.Instance);
        using var one = watches.TryBegin(Guid.NewGuid(), 1, WatchDuty.MostHeld / 2);
        Assert.NotNull(one);
        Assert.Null(watches.TryBegin(Guid.NewGuid(), 1, held: 1));
        using var small = watches.TryBegin(Guid.NewGuid(), 1);
        Assert.NotNull(small);
        var other = watches.TryBegin(Guid.NewGuid(), 2, WatchDuty.MostHeld / 2);
        Assert.NotNull(other);
        Assert.Null(watches.TryBegin(Guid.NewGuid(), 3, held: 1));
        other!.Dispose();
        using var third = watches.TryBegin(Guid.NewGuid(), 3, held: 1);
        Assert.NotNull(third);
    }
}
