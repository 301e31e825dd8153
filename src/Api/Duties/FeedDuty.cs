using Microsoft.Extensions.Options;
using QueueScale.Bus;
using QueueScale.Hosting;
using QueueScale.Store;

namespace QueueScale.Api;

/// <summary>Closes lanes that hold too much, sends parked jobs in order as closed lanes empty, and opens a lane when nothing is parked any more.</summary>
internal sealed partial class FeedDuty(Lanes lanes, WakeUps wakeUps, IOptions<ApiOptions> options, TimeProvider clock, ILogger<FeedDuty> logger)
    : DutyLoop(TimeSpan.FromMilliseconds(200), clock, logger)
{
    /// <summary>A feeder that could not send leaves the lane alone for this long.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);

    /// <summary>A lane is opened when two looks this far apart found nothing parked.</summary>
    private static readonly TimeSpan EmptyFor = TimeSpan.FromSeconds(1);

    private readonly int window = options.Value.LaneWindow;
    private readonly TimeProvider clock = clock;
    private readonly ILogger logger = logger;
    private readonly Dictionary<(string Queue, short Lane), (DateTime Fed, long? EmptySince, long? FailedAt)> looks = [];

    public override async Task<int> RunOnceAsync(CancellationToken cancellation)
    {
        await lanes.CloseOverfullAsync(window, cancellation);
        var sent = 0;
        foreach (var lane in await lanes.ClosedAsync(cancellation))
        {
            sent += await FeedAsync(lane, cancellation);
        }

        return sent;
    }

    private async Task<int> FeedAsync(ClosedLane lane, CancellationToken cancellation)
    {
        var key = (lane.Queue, lane.Lane);
        var look = looks.GetValueOrDefault(key);
        if (look.Fed != lane.Fed)
        {
            look = (lane.Fed, null, look.FailedAt); // others have fed it, or opened and closed it: what was seen before says nothing
        }

        if (look.FailedAt is { } failed && clock.GetElapsedTime(failed) < Rest)
        {
            return 0;
        }

        await using var feed = await lanes.TryFeedAsync(lane, cancellation);
        if (feed is null)
        {
            return 0; // another instance feeds it
        }

        var outstanding = await feed.OutstandingAsync(window, cancellation);
        var sent = 0;
        if (outstanding >= window / 2)
        {
            return 0;
        }

        while (outstanding + sent < window)
        {
            var page = await feed.NextAsync(cancellation);
            if (page.Count == 0)
            {
                if (look.EmptySince is { } since && clock.GetElapsedTime(since) >= EmptyFor)
                {
                    looks.Remove(key);
                    if (await feed.OpenAsync(cancellation))
                    {
                        Log.Opened(logger, lane.Queue, lane.Lane);
                    }
                }
                else
                {
                    looks[key] = (lane.Fed, look.EmptySince ?? clock.GetTimestamp(), null);
                }

                return sent;
            }

            look.EmptySince = null;
            looks.Remove(key);
            if (!await wakeUps.TrySendAsync(wakeUps.Messages(page)))
            {
                looks[key] = (lane.Fed, null, clock.GetTimestamp());
                Log.NotFed(logger, lane.Queue, lane.Lane, Rest);
                return sent;
            }

            if (!await feed.AdvanceAsync(page[^1].At, cancellation))
            {
                return sent; // somebody moved the lane meanwhile
            }

            sent += page.Count;
        }

        return sent;
    }

    private static partial class Log
    {
        [LoggerMessage(3402, LogLevel.Warning, "Parked jobs of lane {Queue}/{Lane} could not be sent: RabbitMQ does not confirm. It is tried again in {Rest}")]
        public static partial void NotFed(ILogger logger, string queue, short lane, TimeSpan rest);

        [LoggerMessage(3401, LogLevel.Information, "Lane {Queue}/{Lane} is open again: nothing is parked any more")]
        public static partial void Opened(ILogger logger, string queue, short lane);
    }
}
